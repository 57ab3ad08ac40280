import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Hash } from "../../src/transparency/merkle.ts";
import { verifyConsistency, verifyInclusion } from "../../src/transparency/verify-proof.ts";
import { hasher, MemoryTiles } from "./memory-tiles.ts";
import { naiveConsistency, naiveInclusion, naiveRoot } from "./naive-tree.ts";

/** The entries of the test vectors that Certificate Transparency's implementations share. */
const entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map((text) =>
  Buffer.from(text, "hex"),
);

/** Their roots at 1 to 8 entries. */
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function leavesOf(some: readonly Uint8Array[]): Hash[] {
  return some.map((entry) => hasher.leaf(entry));
}

function numbered(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(`entry ${index}`));
}

/** Appends in batches of these sizes, in turn. */
function grown(some: readonly Uint8Array[], batches: readonly number[]): MemoryTiles {
  const tiles = new MemoryTiles();
  const leaves = leavesOf(some);
  for (let turn = 0; tiles.size < leaves.length; turn += 1)
    tiles.append(leaves.slice(tiles.size, tiles.size + (batches[turn % batches.length] ?? 1)));
  return tiles;
}

describe("a tree in tiles", () => {
  it("has the roots of the published test vectors", async () => {
    const tiles = grown(entries, [3, 1]);
    for (const [index, root] of roots.entries()) expect(hex(await tiles.tree(index + 1).root())).toBe(root);
    expect(hex(await tiles.tree(0).root())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("has the roots and proofs of the RFC's own definition, however it grew and for every size that it had", async () => {
    const all = numbered(700);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 700 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat(),
        async (count, batches, one, other) => {
          const tiles = grown(all.slice(0, count), batches);
          const size = 1 + (one % count);
          const some = all.slice(0, size);
          const index = other % size;
          const earlier = 1 + (other % size);
          const tree = tiles.tree(size);
          expect(hex(await tree.root())).toBe(hex(naiveRoot(some)));
          expect((await tree.inclusion(index)).map(hex)).toEqual(naiveInclusion(index, some).map(hex));
          expect((await tree.consistency(earlier)).map(hex)).toEqual(naiveConsistency(earlier, some).map(hex));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("grows past a whole tile of tiles", async () => {
    const leaf = hasher.leaf(Buffer.from("x"));
    const tiles = new MemoryTiles();
    for (let batch = 0; batch < 70; batch += 1) tiles.append(Array.from({ length: 1_000 }, () => leaf));
    const path = await tiles.tree().inclusion(65_999);
    expect(verifyInclusion(leaf, 65_999, 70_000, path, await tiles.tree().root(), hasher)).toBe(true);
    const consistency = await tiles.tree().consistency(65_537);
    const [earlier, later] = await Promise.all([tiles.tree(65_537).root(), tiles.tree().root()]);
    expect(verifyConsistency({ size: 65_537, root: earlier }, { size: 70_000, root: later }, consistency, hasher)).toBe(true);
  });

  it("refuses to grow from tiles that are not its own", () => {
    const tiles = grown(numbered(5), [5]);
    tiles.size = 4;
    expect(() => tiles.append(leavesOf(numbered(1)))).toThrow("not as full");
  });
});

describe("the verification of proofs", () => {
  const all = numbered(130);
  const tiles = grown(all, [130]);
  const leaves = leavesOf(all);

  it("takes every true proof and none with a hash changed, dropped, added or swapped, or for another place", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 130 }), fc.nat(), fc.nat(), async (size, at, where) => {
        const index = at % size;
        const root = await tiles.tree(size).root();
        const path = await tiles.tree(size).inclusion(index);
        const isIn = (some: readonly Hash[], place = index, of = size): boolean =>
          verifyInclusion(leaves[index] as Hash, place, of, some, root, hasher);
        expect(isIn(path)).toBe(true);
        for (const wrong of spoiled(path, where)) expect(isIn(wrong)).toBe(false);
        for (let place = 0; place < size; place += 1) if (place !== index) expect(isIn(path, place)).toBe(false);
        for (const place of [-1, size, 0.5, Number.NaN, 2 ** 60]) expect(isIn(path, place)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it("takes a later tree for the same one grown, and no other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 130 }), fc.nat(), fc.nat(), async (size, at, where) => {
        const before = 1 + (at % size);
        const [earlier, later] = await Promise.all(
          [before, size].map(async (count) => ({ size: count, root: await tiles.tree(count).root() })),
        );
        if (earlier === undefined || later === undefined) return;
        const path = await tiles.tree(size).consistency(before);
        expect(verifyConsistency(earlier, later, path, hasher)).toBe(true);
        for (const wrong of spoiled(path, where)) expect(verifyConsistency(earlier, later, wrong, hasher)).toBe(false);
        // A fork: the same tree with its first entry changed, which shows whatever proof it comes with.
        const fork = grown([Buffer.from("forged"), ...all.slice(1)], [130]).tree(size);
        const forked = { size, root: await fork.root() };
        expect(verifyConsistency(earlier, forked, path, hasher)).toBe(false);
        expect(verifyConsistency(earlier, forked, await fork.consistency(before), hasher)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it("takes every tree for the empty one grown, and none for a larger one", async () => {
    const empty = { size: 0, root: hasher.empty() };
    const five = { size: 5, root: await tiles.tree(5).root() };
    expect(verifyConsistency(empty, five, [], hasher)).toBe(true);
    expect(verifyConsistency({ ...empty, root: five.root }, five, [], hasher)).toBe(false);
    expect(verifyConsistency(five, empty, [], hasher)).toBe(false);
  });
});

function* spoiled(path: readonly Hash[], where: number): Generator<Hash[]> {
  yield [...path, hasher.leaf(Buffer.from("one more"))];
  if (path.length === 0) return;
  const at = where % path.length;
  yield path.with(
    at,
    Uint8Array.from(path[at] as Hash, (byte, index) => (index === where % 32 ? byte ^ 1 : byte)),
  );
  yield path.toSpliced(at, 1);
  if (path.length > 1) yield path.toReversed();
}
