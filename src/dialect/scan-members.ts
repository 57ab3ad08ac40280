import { allow, refuse, type Decision } from "../decision.ts";

/** Where a top-level member's value stands in the text: from `start` up to, not including, `end`. */
export interface MemberSpan {
  readonly start: number;
  readonly end: number;
}

export interface ScannedMembers {
  readonly spans: ReadonlyMap<string, MemberSpan>;
  /** Where a further member could be put: after the last value, or after the opening brace of an empty object. */
  readonly tail: number;
}

/** Levels of nesting, the top level being the first. Deeper text is refused before a parser sees it. */
export const depthLimit = 128;
/** No API comes near; a million members would cost far more memory than their bytes. */
export const memberLimit = 1_000;

const quote = 0x22;
const backslash = 0x5c;
const malformed = -1;
const tooDeep = -2;

/**
 * Finds the top-level members of the JSON object in `text`, refuses two of one name and too deep a nesting. Takes more
 * than JSON and leaves it to `JSON.parse` to refuse the rest; whatever `JSON.parse` takes, this reads the same way. In
 * linear time for any text: strings, which are most of a prompt, are jumped over.
 */
export function scanMembers(text: string): Decision<ScannedMembers> {
  const spans = new Map<string, MemberSpan>();
  let at = skipBlank(text, 0);
  if (at === text.length) return refuse({ kind: "invalid_json", detail: "it is empty" });
  if (text[at] !== "{") return refuse({ kind: "invalid_json", detail: "the top level must be an object" });
  let tail = at + 1;
  at = skipBlank(text, tail);
  if (text[at] === "}") return allow({ spans, tail });
  for (;;) {
    if (text.charCodeAt(at) !== quote) return malformedAt(at);
    const keyEnd = endOfString(text, at);
    if (keyEnd === malformed) return malformedAt(at);
    const name = nameOf(text.slice(at + 1, keyEnd - 1));
    if (name === undefined) return malformedAt(at);
    const colon = skipBlank(text, keyEnd);
    if (text[colon] !== ":") return malformedAt(colon);
    const start = skipBlank(text, colon + 1);
    const end = endOfValue(text, start);
    if (end === tooDeep) return refuse({ kind: "json_too_deep", limit: depthLimit });
    if (end === malformed || end === start) return malformedAt(start);
    if (spans.has(name)) return refuse({ kind: "duplicate_key", param: name });
    if (spans.size === memberLimit) return refuse({ kind: "invalid_json", detail: `it has more than ${memberLimit} members` });
    spans.set(name, { start, end });
    tail = end;
    at = skipBlank(text, end);
    if (text[at] === "}") return allow({ spans, tail });
    if (text[at] !== ",") return malformedAt(at);
    at = skipBlank(text, at + 1);
  }
}

function malformedAt(at: number): Decision<never> {
  return refuse({ kind: "invalid_json", detail: `syntax error at character ${at + 1}` });
}

/** A key as JSON means it: `mod\u0065l` is `model`, and must count as its duplicate. */
export function nameOf(raw: string): string | undefined {
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return undefined;
  }
}

export function skipBlank(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
  }
  return at;
}

/** How far to look letter by letter after an escaped quote, where code and JSON in JSON have the next one close by. */
const closeBy = 64;

/** The index after the closing quote of the string that opens at `open`; -1 where it does not close. */
export function endOfString(text: string, open: number): number {
  let at = open;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return malformed;
    // A quote is escaped by an odd number of backslashes before it. Each run of them is counted once.
    let run = at - 1;
    while (text.charCodeAt(run) === backslash) run--;
    if (((at - 1 - run) & 1) === 0) return at + 1;
    // A search costs as much as thirty letters: one for each escaped quote took longer than parsing.
    const until = Math.min(at + closeBy, text.length);
    for (at++; at < until; at++) {
      const code = text.charCodeAt(at);
      if (code === quote) return at + 1;
      if (code === backslash) at++;
    }
    // Never past an escaped letter: the search begins behind the last one looked at.
    at--;
  }
}

function endOfValue(text: string, start: number): number {
  switch (text[start]) {
    case '"':
      return endOfString(text, start);
    case "{":
    case "[":
      return endOfNested(text, start);
    default:
      return endOfLiteral(text, start);
  }
}

/** Counts brackets without telling the two kinds apart: a mismatch is `JSON.parse`'s to find. */
function endOfNested(text: string, open: number): number {
  let depth = 2;
  for (let at = open + 1; at < text.length;) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at);
        if (at === malformed) return malformed;
        continue;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > depthLimit) return tooDeep;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (--depth === 1) return at + 1;
        break;
    }
    at++;
  }
  return malformed;
}

/** A number, `true`, `false` or `null`: up to whatever ends a value. */
function endOfLiteral(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x2c: // ,
      case 0x7d: // }
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        return at;
    }
  }
  return malformed;
}
