import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemberScanner } from "../../src/upstream/member-scanner.ts";
import { bytesOf, cutAt, cuts, singleBytes } from "../support/chunks.ts";

const wanted = ["usage", "model", "id"];
const name = fc.oneof(fc.constantFrom("usage", "model", "id", "Usage", 'us"age', "\\", "ü"), fc.string({ maxLength: 6 }));
const document = fc.dictionary(
  name,
  fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    // The same names further in, which must not be taken for the top level's.
    fc.record({ usage: fc.jsonValue({ maxDepth: 1 }), model: fc.string({ unit: "binary" }) }),
    fc.array(fc.record({ id: fc.string() }), { maxLength: 3 }),
  ),
  { maxKeys: 6, noNullPrototype: true },
);

function scan(pieces: readonly Uint8Array[], scanner = new MemberScanner(wanted)): MemberScanner {
  for (const piece of pieces) scanner.push(piece);
  return scanner;
}

describe("MemberScanner", () => {
  it("finds what JSON.parse finds at the top level of any document, wherever its bytes are cut", () => {
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, "\t"), cuts, (value, indent, where) => {
        const text = JSON.stringify(value, undefined, indent);
        const parsed = JSON.parse(text) as Record<string, unknown>;
        for (const pieces of [cutAt(bytesOf(text), where), singleBytes(bytesOf(text))]) {
          const scanner = scan(pieces);
          for (const member of wanted) expect(scanner.get(member)).toEqual(parsed[member]);
          expect(scanner.complete).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("says that a document is complete only when all of it came", () => {
    fc.assert(
      fc.property(document, fc.nat(), (value, at) => {
        const bytes = bytesOf(JSON.stringify(value));
        expect(scan([bytes.slice(0, at % bytes.length)]).complete).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it("reads keys that are written with escapes", () => {
    expect(scan([bytesOf('{"us\\u0061ge":{"a":1},"mod\\/el":2,"\\u006dodel":"x\\"}"}')]).get("usage")).toEqual({ a: 1 });
    expect(scan([bytesOf('{"\\u006dodel":"x\\"}{"}')]).get("model")).toBe('x"}{');
  });

  it("takes the last of two members of one name, as the client's parser does", () => {
    const scanner = scan([bytesOf('{"model":"first","usage":1,"model":"second"}')]);
    expect(scanner.get("model")).toBe("second");
  });

  it("finds nothing in a list, in a scalar or behind the end of the object", () => {
    expect(scan([bytesOf('["model","x",{"model":"y"}]')]).get("model")).toBeUndefined();
    expect(scan([bytesOf('"model"')]).get("model")).toBeUndefined();
    const scanner = scan([bytesOf('{"a":1}{"model":"forged"}')]);
    expect(scanner.get("model")).toBeUndefined();
    expect(scanner.complete).toBe(true);
  });

  it("passes over a member that is larger than its bound, and over a key as large, and finds the next", () => {
    const large = "x".repeat(200);
    const scanner = scan(
      [bytesOf(`{"model":"${large}","${large}":1,"id":"here"}`)],
      new MemberScanner(wanted, { maxMemberBytes: 64 }),
    );
    expect(scanner.get("model")).toBeUndefined();
    expect(scanner.get("id")).toBe("here");
    expect(scanner.complete).toBe(true);
  });

  it("finds members one level further in where it is told to, and none of the top level's", () => {
    const text =
      'data: {"type":"t","id":"outer","response":{"id":"inner","output":[{"id":"no"}],"usage":{"n":1}},"model":"outer"}\n\n';
    for (const pieces of [[bytesOf(text)], singleBytes(bytesOf(text))]) {
      const scanner = scan(pieces, new MemberScanner(wanted, { depth: 2 }));
      expect(scanner.get("id")).toBe("inner");
      expect(scanner.get("usage")).toEqual({ n: 1 });
      expect(scanner.get("model")).toBeUndefined();
      expect(scanner.complete).toBe(true);
    }
  });
});
