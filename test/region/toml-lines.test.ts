import * as fc from "fast-check";
import { stringify } from "smol-toml";
import { describe, expect, it } from "vitest";
import { TomlLines } from "../../src/region/toml-lines.ts";

const text = `# a comment with [brackets] = "and quotes
version = "1" # [not.a.table]
list = [
  "one", # first
  { inner = 1,
    other = 2 },
  ["nested",
   "deep"],
]
prose = """
[trap]
key = 1 \\""" still
"""
raw = '''
[[trap]]
'''
[groups.CN]
countries = ["CN"]
"quoted key" = 2026-01-01 00:00:00Z
'literal.dot' = true
[[rules]]
id = "a"
scope.makers = ["x"]
[rules.price]
input = 1
[[rules]]
id = "b"
[rules.price]
input = 2
`;

describe("the lines of a TOML text", () => {
  const lines = new TomlLines(text);
  it.each([
    [["version"], 2],
    [["list"], 3],
    [["list", 0], 4],
    [["list", 1, "inner"], 5],
    [["list", 1, "other"], 6],
    [["list", 2, 1], 8],
    [["prose"], 10],
    [["raw"], 14],
    [["groups", "CN"], 17],
    [["groups", "CN", "countries", 0], 18],
    [["groups", "CN", "quoted key"], 19],
    [["groups", "CN", "literal.dot"], 20],
    [["rules", 0], 21],
    [["rules", 0, "id"], 22],
    [["rules", 0, "scope", "makers"], 23],
    [["rules", 0, "price", "input"], 25],
    [["rules", 1, "id"], 27],
    [["rules", 1, "price", "input"], 29],
  ])("finds %j on line %i", (path, line) => {
    expect(lines.lineOf(path)).toBe(line);
  });

  it("falls back to the nearest table, and to the first line", () => {
    expect(lines.lineOf(["rules", 1, "because"])).toBe(26);
    expect(lines.lineOf(["trap", "key"])).toBe(1);
    expect(lines.lineOf([])).toBe(1);
  });

  it("finds every key that a serialiser wrote, whatever strings are around it", () => {
    const key = fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => name !== "tables");
    const value = fc.oneof(fc.string({ unit: "grapheme" }), fc.integer(), fc.array(fc.string()), fc.boolean());
    fc.assert(
      fc.property(
        fc.dictionary(key, value, { minKeys: 1 }),
        fc.dictionary(key, fc.dictionary(key, value, { minKeys: 1 })),
        (top, tables) => {
          const written = stringify({ ...top, tables });
          const rows = written.split("\n");
          const found = new TomlLines(written);
          for (const name of Object.keys(top)) expect(rows[found.lineOf([name]) - 1]).toMatch(new RegExp(`^${name} =`));
          for (const [table, entries] of Object.entries(tables)) {
            for (const inner of Object.keys(entries)) {
              expect(rows[found.lineOf(["tables", table, inner]) - 1]).toMatch(new RegExp(`^${inner} =`));
            }
          }
        },
      ),
    );
  });
});
