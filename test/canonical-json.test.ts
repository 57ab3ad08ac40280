import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../src/canonical-json.ts";

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

  it("leaves out members that are undefined and refuses what JSON cannot say", () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
    for (const value of [Number.NaN, Infinity, undefined, [undefined], 1n, new Map(), new Set(), new Date(0), "\ud800"])
      expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});

function wellFormed(value: unknown): boolean {
  return !/\\ud[89a-f]/i.test(JSON.stringify(value));
}
