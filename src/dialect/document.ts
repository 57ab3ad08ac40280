/**
 * A request's body: read as JSON where a decision needs a field, and otherwise left as the bytes that the client sent.
 * Parsing and writing it anew would round integers beyond 2^53, reorder nothing but respace everything, and cost more
 * than all else that the gateway does.
 */
import { concat } from "../bytes.ts";
import { allow, refuse, type Decision } from "../decision.ts";
import { plainNames } from "./plain-names.ts";
import { scanMembers, type ScannedMembers } from "./scan-members.ts";

/** What is needed to send the body on: kept for as long as an attempt may still be made. */
export interface SourceText {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly members: ScannedMembers;
}

export interface Document {
  readonly source: SourceText;
  /** The parsed object. Names such as `__proto__` are plain members of it: read it through `member`. */
  readonly value: Readonly<Record<string, unknown>>;
}

// A byte order mark is kept, and refused as the syntax error that it is: dropped here, it would still go upstream.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads a body whose top level is a JSON object. */
export function parseDocument(bytes: Uint8Array): Decision<Document> {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse({ kind: "invalid_utf8" });
  }
  const members = scanMembers(text);
  if (!members.ok) return members;
  try {
    const value = JSON.parse(plainNames(text)) as Record<string, unknown>;
    return allow({ source: { bytes, text, members: members.value }, value });
  } catch (error) {
    return refuse({ kind: "invalid_json", detail: whereItFailed(error) });
  }
}

/** The parser's own message quotes the text around the fault: a piece of a prompt, which must not reach a log. */
function whereItFailed(error: unknown): string {
  const position =
    error instanceof Error ? / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(error.message)?.[1] : undefined;
  return position === undefined ? "syntax error" : `syntax error at character ${Number(position) + 1}`;
}

/** A top-level member's value; `undefined` where there is none. */
export function member(document: Document, name: string): unknown {
  return document.source.members.spans.has(name) ? document.value[name] : undefined;
}

/** A member to set, its value as JSON text. */
export interface Edit {
  readonly name: string;
  readonly json: string;
}

/**
 * The body with some top-level members set: those that are there get a new value in place, the others are added at the
 * end. Every other byte stays as it was; where nothing changes, these are the client's own bytes.
 */
export function edit(source: SourceText, edits: readonly Edit[]): Uint8Array {
  const { text, members, bytes } = source;
  const splices: Splice[] = [];
  let added = "";
  for (const { name, json } of edits) {
    const span = members.spans.get(name);
    if (span === undefined) added += `${members.spans.size === 0 && added === "" ? "" : ","}${JSON.stringify(name)}:${json}`;
    else if (text.slice(span.start, span.end) !== json) splices.push({ ...span, json });
  }
  if (added !== "") splices.push({ start: members.tail, end: members.tail, json: added });
  if (splices.length === 0) return bytes;
  splices.sort((one, other) => one.start - other.start);
  return splice(bytes, text, splices);
}

/** Text to put in the place of what stands from `start` to `end`, counted in the text's own units. */
interface Splice {
  readonly start: number;
  readonly end: number;
  readonly json: string;
}

/** Copies the client's bytes around the new ones: encoding the whole text anew cost more than reading it. */
function splice(bytes: Uint8Array, text: string, splices: readonly Splice[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let fromUnit = 0;
  let fromByte = 0;
  for (const { start, end, json } of splices) {
    const startByte = fromByte + utf8Length(bytes, text, fromUnit, start);
    pieces.push(bytes.subarray(fromByte, startByte), encoder.encode(json));
    fromByte = startByte + utf8Length(bytes, text, start, end);
    fromUnit = end;
  }
  pieces.push(bytes.subarray(fromByte));
  return concat(pieces);
}

/** How many bytes a stretch of the text takes. Where the whole text is ASCII there is nothing to count. */
function utf8Length(bytes: Uint8Array, text: string, from: number, to: number): number {
  if (bytes.length === text.length) return to - from;
  let length = 0;
  for (let index = from; index < to; index++) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair stands for two of its four bytes; valid UTF-8 has no half alone.
    length += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return length;
}
