import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { edit, member, parseDocument, type Document } from "../../src/dialect/document.ts";
import { depthLimit, memberLimit, scanMembers } from "../../src/dialect/scan-members.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function parsed(text: string): Document {
  const document = parseDocument(encoder.encode(text));
  if (!document.ok) throw new Error(`refused: ${JSON.stringify(document.refusal)}`);
  return document.value;
}

function refusalOf(body: string | Uint8Array): unknown {
  const document = parseDocument(typeof body === "string" ? encoder.encode(body) : body);
  return document.ok ? undefined : document.refusal;
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

const blank = fc.stringMatching(/^[ \n\r\t]{0,3}$/);
const key = fc.oneof(
  fc.constantFrom("model", "a", "__proto__", "constructor", "toString", "", '"', "\\", "\\\\", "ä", "漢字", "😀"),
  fc.string({ unit: "grapheme" }),
);
const json = fc.jsonValue({ maxDepth: 4, stringUnit: "grapheme" });

/** A string as JSON, some of its characters spelled as escapes. */
function spelled(text: string, escapes: readonly boolean[]): string {
  let out = '"';
  for (let index = 0; index < text.length; index++) {
    const character = text[index] as string;
    out += escapes[index % escapes.length]
      ? `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`
      : JSON.stringify(character).slice(1, -1);
  }
  return `${out}"`;
}

interface Written {
  readonly text: string;
  readonly entries: ReadonlyMap<string, unknown>;
}

/**
 * An object's text, with distinct names, blanks anywhere, and names in any spelling; and what it says. `JSON.parse` is
 * no judge of the names: see `plainNames`.
 */
const written: fc.Arbitrary<Written> = fc
  .tuple(
    fc.uniqueArray(fc.tuple(key, json), { selector: ([name]) => name.toWellFormed(), maxLength: 6 }),
    fc.array(blank, { minLength: 8, maxLength: 8 }),
    fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    fc.nat(2),
  )
  .map(([entries, blanks, escapes, indent]) => {
    const [a, b, c, d, e, f, g, h] = blanks;
    const members = entries.map(
      ([name, value]) => `${a}${spelled(name.toWellFormed(), escapes)}${b}:${c}${JSON.stringify(value, null, indent)}${d}`,
    );
    const text = `${e}{${members.length === 0 ? f : members.join(",")}}${g}${h}`;
    return {
      text,
      entries: new Map(entries.map(([name, value]) => [name.toWellFormed(), JSON.parse(JSON.stringify(value)) as unknown])),
    };
  });

const objectText = written.map(({ text }) => text);

/** What the text says, by its spans. */
function entriesOf(text: string): Map<string, unknown> {
  const { spans } = parsed(text).source.members;
  return new Map([...spans].map(([name, span]) => [name, JSON.parse(text.slice(span.start, span.end)) as unknown]));
}

describe("parsing", () => {
  test("the scan finds exactly the members that were written, each with its value", () => {
    fc.assert(
      fc.property(written, ({ text, entries }) => {
        expect(entriesOf(text)).toEqual(entries);
      }),
      { numRuns: 500 },
    );
  });

  test("the scan agrees with JSON.parse on plainly spelled objects, member by member", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_é漢]{0,8}$/), json), fc.nat(3), (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        const document = parsed(text);
        expect(entriesOf(text)).toEqual(new Map(Object.entries(JSON.parse(text) as object)));
        for (const [name, value] of entriesOf(text)) expect(member(document, name)).toEqual(value);
      }),
    );
  });

  test("a name written with escapes cannot be hidden by what was parsed before it", () => {
    // Kept, as shapes that nobody holds are forgotten.
    const before = [JSON.parse('{"model":1,"max_tok\\\\u0":2}'), JSON.parse('[{"a":1,"typ\\\\":2}]')] as unknown[];
    expect(member(parsed('{"model":"m","max_tok\\u0065ns":5}'), "max_tokens")).toBe(5);
    expect(member(parsed('{"b":[{"a":1,"typ\\u0065":"x" , "q":"\\u0065"}]}'), "b")).toEqual([{ a: 1, type: "x", q: "e" }]);
    expect(before).toHaveLength(2);
  });

  test("strings end where they end, however thick their quotes and backslashes stand", () => {
    const thick = fc
      .array(fc.constantFrom('"', "\\", "a", "\n", "aaaaaaaaaaaaaaaa", '""""""""', "\\\\\\"), { maxLength: 120, size: "max" })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(thick, thick, (one, other) => {
        const value = { one, list: [other, one], other };
        expect(entriesOf(JSON.stringify(value))).toEqual(new Map(Object.entries(value)));
      }),
      { numRuns: 300 },
    );
  });

  test("whatever JSON.parse refuses is refused, and nothing throws, at any cut or change of a byte", () => {
    fc.assert(
      fc.property(
        objectText,
        fc.nat(),
        fc.constantFrom("", '"', "\\", "{", "}", "[", "]", ",", ":", "x", "0", " "),
        (text, at, put) => {
          const cut = at % (text.length + 1);
          const broken = text.slice(0, cut) + put + text.slice(cut + 1);
          // A change can also make two names equal.
          const expected = isObjectText(broken.toWellFormed()) ? [undefined, "duplicate_key"] : ["invalid_json"];
          expect(expected).toContain((refusalOf(broken) as { kind: string } | undefined)?.kind);
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ["an empty body", "", "it is empty"],
    ["blanks alone", " \n", "it is empty"],
    ["an array", "[1]", "the top level must be an object"],
    ["a string", '"x"', "the top level must be an object"],
    ["a byte order mark", "\ufeff{}", "the top level must be an object"],
    ["a missing value", '{"a":}', "syntax error at character 6"],
    ["a trailing comma", '{"a":1,}', "syntax error at character 8"],
    ["a missing colon", '{"a" 1}', "syntax error at character 6"],
    ["an open string", '{"a":"x', "syntax error at character 6"],
    ["mismatched brackets", '{"a":[1}}', "syntax error at character 8"],
    ["text behind the object", '{"a":1} {"b":2}', "syntax error at character 9"],
    ["a wrong literal", '{"a":tru}', "syntax error"],
  ])("%s is refused with its place", (_what, text, detail) => {
    expect(refusalOf(text)).toEqual({ kind: "invalid_json", detail });
  });

  test("no piece of the body is in the refusal of bad JSON", () => {
    for (const body of [
      '{"messages": secret-prompt}',
      '{"secret-prompt',
      '{"a":"secret-prompt" "b"}',
      '{"a":"secret-prompt\n"}',
    ]) {
      expect(JSON.stringify(refusalOf(body))).not.toContain("secret");
    }
  });

  test("bytes that are not UTF-8 are refused, and the next body is read as if nothing had been", () => {
    expect(refusalOf(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({ kind: "invalid_utf8" });
    expect(refusalOf(Uint8Array.from([0x7b, 0x22, 0xe6]))).toEqual({ kind: "invalid_utf8" });
    expect(refusalOf(Uint8Array.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({ kind: "invalid_utf8" });
    expect(parsed('{"a":"漢"}').value).toEqual({ a: "漢" });
  });

  test("a member named twice is refused, however it is spelled", () => {
    expect(refusalOf('{"model":"a","x":1,"model":"b"}')).toEqual({ kind: "duplicate_key", param: "model" });
    expect(refusalOf('{"model":"a","mod\\u0065l":"b"}')).toEqual({ kind: "duplicate_key", param: "model" });
    expect(refusalOf('{"__proto__":1,"__proto__":2}')).toEqual({ kind: "duplicate_key", param: "__proto__" });
    expect(refusalOf('{"a":{"b":1,"b":2}}')).toBeUndefined();
  });

  test("a member named __proto__ is a member like any other and changes no object's nature", () => {
    const document = parsed('{"__proto__":{"model":"evil","stream":true},"constructor":1}');
    expect(member(document, "model")).toBeUndefined();
    expect(member(document, "stream")).toBeUndefined();
    expect(member(document, "toString")).toBeUndefined();
    expect(member(document, "__proto__")).toEqual({ model: "evil", stream: true });
    expect(({} as Record<string, unknown>)["model"]).toBeUndefined();
  });

  test("nesting is taken up to the limit and refused beyond it, wherever it is", () => {
    const nested = (levels: number, open: string, close: string): string =>
      `{"a":1,"b":${open.repeat(levels - 1)}0${close.repeat(levels - 1)}}`;
    expect(refusalOf(nested(depthLimit, "[", "]"))).toBeUndefined();
    expect(refusalOf(nested(depthLimit + 1, "[", "]"))).toEqual({ kind: "json_too_deep", limit: depthLimit });
    expect(refusalOf(nested(depthLimit, '{"x":', "}"))).toBeUndefined();
    expect(refusalOf(nested(depthLimit + 1, '{"x":', "}"))).toEqual({ kind: "json_too_deep", limit: depthLimit });
    expect(refusalOf(`{"a":"${"[".repeat(1_000)}"}`)).toBeUndefined();
    expect(refusalOf(`{"a":[${"[],".repeat(1_000)}[]]}`)).toBeUndefined();
  });

  test("an object with absurdly many members is refused", () => {
    const many = (count: number): string => `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(",")}}`;
    expect(refusalOf(many(memberLimit))).toBeUndefined();
    expect(refusalOf(many(memberLimit + 1))).toMatchObject({ kind: "invalid_json" });
  });

  test.each([
    ["backslashes", `{"a":"${"\\\\".repeat(4_000_000)}"}`],
    ["escaped quotes", `{"a":"${'\\"'.repeat(4_000_000)}"}`],
    ["an open string of backslashes", `{"a":"${"\\".repeat(8_000_000)}`],
    ["opening brackets", `{"a":${"[".repeat(8_000_000)}`],
    ["empty strings", `{"a":[${'"",'.repeat(2_000_000)}""]}`],
    ["blanks", `{${" ".repeat(8_000_000)}`],
    ["a wide string", `{"a":"${"漢".repeat(3_000_000)}"}`],
    ["quotes' look-alikes", `{"a":"${"\u2222".repeat(3_000_000)}"}`],
  ])("eight megabytes of %s are scanned in linear time", (_what, text) => {
    const startedAt = performance.now();
    scanMembers(text);
    // A quadratic scan of as much takes hours; a linear one some 50 ms.
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

describe("editing", () => {
  test("where nothing changes, the very bytes of the client are sent on", () => {
    const document = parsed('{ "model" : "a" , "n":1 }');
    expect(edit(document.source, [])).toBe(document.source.bytes);
    expect(edit(document.source, [{ name: "model", json: '"a"' }])).toBe(document.source.bytes);
  });

  test("big integers, blanks, escapes and the order of members outlive a change", () => {
    const text = '{\n "seed" : 12345678901234567890,"temperature":1.0, "model" :\t"a" ,"x":"\\u00e9\\/ä😀" }\n';
    expect(decoder.decode(edit(parsed(text).source, [{ name: "model", json: '"b"' }]))).toBe(text.replace('"a"', '"b"'));
  });

  test("a member that is not there is added at the end", () => {
    const edits = [
      { name: "x", json: "1" },
      { name: "y", json: "{}" },
    ];
    expect(decoder.decode(edit(parsed("{ }").source, edits))).toBe('{"x":1,"y":{} }');
    expect(decoder.decode(edit(parsed(' {"a":[1] } ').source, edits))).toBe(' {"a":[1],"x":1,"y":{} } ');
  });

  test("an edit changes its members alone, and every other byte stays", () => {
    fc.assert(
      fc.property(
        written,
        fc.uniqueArray(fc.tuple(key, json), { selector: ([name]) => name.toWellFormed(), maxLength: 3 }),
        ({ text, entries }, changes) => {
          const document = parsed(text);
          const edits = changes.map(([name, value]) => ({ name: name.toWellFormed(), json: JSON.stringify(value) }));
          const edited = decoder.decode(edit(document.source, edits));

          const expected = new Map(entries);
          for (const { name, json: value } of edits) expected.set(name, JSON.parse(value));
          expect(entriesOf(edited)).toEqual(expected);

          // Taking the values of the edited members out of both leaves the same text, but for what was added at its tail.
          const { spans, tail } = document.source.members;
          const touched = edits.flatMap(({ name }) => spans.get(name) ?? []).sort((one, other) => one.start - other.start);
          let from = 0;
          let rest = edited;
          for (const span of [...touched, { start: tail, end: tail }]) {
            const kept = text.slice(from, span.start);
            const at = rest.indexOf(kept);
            expect(at).toBeGreaterThanOrEqual(0);
            rest = rest.slice(at + kept.length);
            from = span.end;
          }
          expect(rest.endsWith(text.slice(tail))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
