import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadedName, type LoadedBundle } from "../../src/bundle/loaded-bundles.ts";
import { auditEntry } from "./samples.ts";
import type { BundleWorld } from "./store-world.ts";

const audit = auditEntry("1", "*", "policy.load");

function bundle(letter: string, more: Partial<LoadedBundle> = {}): LoadedBundle {
  return {
    digest: letter.repeat(64),
    version: `version ${letter}`,
    shadow: false,
    effectiveFrom: `2026-12-01T00:00:00.00${parseInt(letter, 16) % 10}Z`,
    effectiveTo: null,
    loadedAt: "2026-11-23T12:00:00.000Z",
    by: null,
    reason: "as told",
    text: `{ "any": "text \\u0000 \\ud800 ${letter}" }`,
    ...more,
  };
}

export function bundleContract(name: string, openWorld: () => BundleWorld | Promise<BundleWorld>): void {
  describe(`${name}: loaded bundles`, () => {
    let world: BundleWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    const audited = async (): Promise<readonly string[]> => (await world.directory.audit("*", 10)).map(({ id }) => id);

    it("are kept as they were given, in order of their names, over a restart", async () => {
      const all = [bundle("b"), bundle("a", { shadow: true, effectiveFrom: null }), bundle("a", { by: "desk" })];
      for (const one of all) expect(await world.bundles.addBundle(one, audit)).toBe(true);
      await world.restart();
      expect(await world.bundles.bundleNames()).toEqual(all.map(loadedName).toSorted());
      expect(await world.bundles.bundles()).toEqual([all[2], all[1], all[0]]);
    });

    it("are added once, one of a version, one of a beginning and one shadow, and what is not added is not audited", async () => {
      await world.bundles.addBundle(bundle("a"), audit);
      await world.bundles.addBundle(bundle("b", { effectiveFrom: null }), auditEntry("2", "*"));
      await world.bundles.addBundle(bundle("c", { shadow: true }), auditEntry("3", "*"));
      const inTheWay = [
        bundle("a"),
        bundle("d", { version: "version a" }),
        bundle("d", { effectiveFrom: bundle("a").effectiveFrom }),
        bundle("d", { effectiveFrom: null }),
        bundle("d", { shadow: true }),
      ];
      for (const one of inTheWay) expect(await world.bundles.addBundle(one, auditEntry("no", "*"))).toBe(false);
      expect(await world.bundles.bundleNames()).toHaveLength(3);
      expect(await audited()).toEqual(["3", "2", "1"]);
    });

    it("of two that are added at once and are in each other's way one stands", async () => {
      const both = [bundle("a", { version: "same" }), bundle("b", { version: "same" })];
      const added = await Promise.all(both.map((one, index) => world.bundles.addBundle(one, auditEntry(`${index}`, "*"))));
      expect(added.filter(Boolean)).toHaveLength(1);
      expect(await world.bundles.bundles()).toEqual(both.filter((_, index) => added[index]));
    });

    it("are forgotten once, which is audited", async () => {
      await world.bundles.addBundle(bundle("a"), audit);
      const name = loadedName(bundle("a"));
      expect(await world.bundles.removeBundle(name, auditEntry("2", "*"))).toBe(true);
      expect(await world.bundles.removeBundle(name, auditEntry("3", "*"))).toBe(false);
      expect(await world.bundles.bundles()).toEqual([]);
      expect(await audited()).toEqual(["2", "1"]);
      expect(await world.bundles.addBundle(bundle("a"), auditEntry("4", "*"))).toBe(true);
    });
  });
}
