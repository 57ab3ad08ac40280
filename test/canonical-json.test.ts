import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, writtenOnce } from "../src/canonical-json.ts";

describe("canonical JSON", () => {
  it("is what another implementation of RFC 8785 writes, for every value of JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }).filter(wellFormed), (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
    );
  });

  it("writes the RFC's own example as the RFC does", () => {
    const value = {
      numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it("does not depend on the order in which members were added", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.integer()), (dictionary) => {
        const turned = Object.fromEntries(Object.entries(dictionary).toReversed());
        expect(canonicalJson(turned)).toBe(canonicalJson(dictionary));
      }),
    );
  });

  it("is the same for what is written once, alone and within another value, however often", () => {
    fc.assert(
      fc.property(fc.object({ withNullPrototype: false, values: [fc.string(), fc.integer(), fc.constant(null)] }), (value) => {
        const text = canonicalJson(structuredClone(value));
        const once = writtenOnce(value);
        for (const around of [once, [once, once], { once }, once])
          expect(canonicalJson(around)).toBe(canonicalJson(JSON.parse(JSON.stringify(around))));
        expect(canonicalJson(once)).toBe(text);
      }),
    );
  });

  it("makes a text once of what is said never to change, and refuses it each time where it has none", () => {
    let looked = 0;
    const value = writtenOnce({
      get a() {
        looked += 1;
        return 1;
      },
    });
    expect([canonicalJson(value), canonicalJson({ b: value })]).toEqual(['{"a":1}', '{"b":{"a":1}}']);
    expect(looked).toBe(1);
    const none = writtenOnce({ a: Number.NaN });
    for (const _ of [1, 2]) expect(() => canonicalJson(none)).toThrow(TypeError);
  });

  it("leaves out members that are undefined and refuses what JSON cannot say", () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
    for (const value of [Number.NaN, Infinity, undefined, [undefined], 1n, new Map(), new Set(), new Date(0), "\ud800"])
      expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});

function wellFormed(value: unknown): boolean {
  return !/\\ud[89a-f]/i.test(JSON.stringify(value));
}
