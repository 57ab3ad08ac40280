import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirectoryDigestKeys } from "../../src/control/digest-keys.ts";
import type { PlaceMismatches } from "../../src/place-mismatches.ts";
import { createSecretBox } from "../../src/secret-box.ts";
import type { DigestKeys, OpenDigestKey } from "../../src/tenant/digest-key.ts";
import type { ShadowCounts } from "../../src/shadow-counts.ts";
import { auditEntry, directoryEntry, mismatches, shadowCounts } from "./samples.ts";
import type { OpenStoreWorld, StoreWorld } from "./store-world.ts";

/** What every directory does. Imports nothing of a runtime. */
export function directoryContract(name: string, openWorld: OpenStoreWorld): void {
  describe(`directory: ${name}`, () => {
    let world: StoreWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    it("knows nobody at first", async () => {
      expect(await world.directory.find("acme")).toBeUndefined();
      expect(await world.directory.list(undefined, 10)).toEqual([]);
      expect(await world.directory.audit(undefined, 10)).toEqual([]);
    });

    it("finds an entry again, all of it, also after a restart", async () => {
      expect(await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"))).toBe(true);
      expect(await world.directory.find("acme")).toEqual(directoryEntry("acme", 1));
      await world.restart();
      expect(await world.directory.find("acme")).toEqual(directoryEntry("acme", 1));
    });

    it("shows a change to the very next lookup, wherever it was looked up before", async () => {
      await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"));
      for (let lookup = 0; lookup < 4; lookup++) await world.directory.find("acme");
      await world.directory.save(directoryEntry("acme", 2, "Acme, renamed"), auditEntry("2", "acme", "tenant.change"));
      for (let lookup = 0; lookup < 4; lookup++) expect((await world.directory.find("acme"))?.tenant.name).toBe("Acme, renamed");
    });

    it("shows a tenant that was just added to a lookup that missed it before", async () => {
      for (let lookup = 0; lookup < 4; lookup++) await world.directory.find("acme");
      await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"));
      for (let lookup = 0; lookup < 4; lookup++) expect(await world.directory.find("acme")).toBeDefined();
    });

    it("lets one of two writers of the same revision win, and audits that one alone", async () => {
      await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"));
      const saved = await Promise.all([
        world.directory.save(directoryEntry("acme", 2, "left"), auditEntry("left", "acme")),
        world.directory.save(directoryEntry("acme", 2, "right"), auditEntry("right", "acme")),
      ]);
      expect(saved.filter((won) => won)).toHaveLength(1);
      const winner = saved[0] ? "left" : "right";
      expect((await world.directory.find("acme"))?.tenant.name).toBe(winner);
      expect((await world.directory.audit("acme", 10)).map((one) => one.id)).toEqual([winner, "1"]);
    });

    it("refuses to add a tenant that is there, and to skip or repeat a revision", async () => {
      await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"));
      expect(await world.directory.save(directoryEntry("acme", 1), auditEntry("2", "acme"))).toBe(false);
      expect(await world.directory.save(directoryEntry("acme", 3), auditEntry("3", "acme"))).toBe(false);
      expect(await world.directory.save(directoryEntry("new", 2), auditEntry("4", "new"))).toBe(false);
    });

    it("lets gateways that find a tenant without a digest key make one between them", async () => {
      await world.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"));
      const current = async (seed: number): Promise<OpenDigestKey> => {
        const entry = await world.directory.find("acme");
        if (entry === undefined) throw new Error("no entry");
        return digestKeysOf(world, seed).current(entry.tenant);
      };
      const made = await Promise.all([1, 2, 3, 4].map(current));
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      expect(await current(5)).toEqual(made[0]);
      expect((await world.directory.audit("acme", 10)).map(({ action }) => action)).toEqual(["digest_key.make", "tenant.add"]);
      expect(await world.directory.find("acme")).toMatchObject({ revision: 2 });
    });

    it("lists entries in order of id, page by page", async () => {
      for (const id of ["ccc", "aaa", "bbb"]) await world.directory.save(directoryEntry(id, 1), auditEntry(id, id));
      const page = async (after: string | undefined): Promise<string[]> =>
        (await world.directory.list(after, 2)).map((entry) => entry.tenant.id);
      expect(await page(undefined)).toEqual(["aaa", "bbb"]);
      expect(await page("bbb")).toEqual(["ccc"]);
      expect(await page("ccc")).toEqual([]);
    });

    it("shows the audit newest first, of one tenant or of all", async () => {
      await world.directory.save(directoryEntry("aaa", 1), auditEntry("1", "aaa"));
      await world.directory.save(directoryEntry("bbb", 1), auditEntry("2", "bbb"));
      await world.directory.save(directoryEntry("aaa", 2), auditEntry("3", "aaa", "key.issue"));
      expect((await world.directory.audit(undefined, 10)).map((one) => one.id)).toEqual(["3", "2", "1"]);
      expect((await world.directory.audit("aaa", 10)).map((one) => one.id)).toEqual(["3", "1"]);
      expect(await world.directory.audit(undefined, 1)).toEqual([auditEntry("3", "aaa", "key.issue")]);
    });

    it("notes what changes no tenant among the rest", async () => {
      await world.directory.save(directoryEntry("aaa", 1), auditEntry("1", "aaa"));
      await world.directory.note(auditEntry("2", "*", "revocation.issue"));
      expect(await world.directory.audit(undefined, 10)).toEqual([
        auditEntry("2", "*", "revocation.issue"),
        auditEntry("1", "aaa"),
      ]);
    });

    it("keeps what each replica found of each place over a restart, and never takes less for more", async () => {
      expect(await world.directory.mismatches()).toEqual([]);
      const all = [mismatches("sea/a", "one", 3), mismatches("sea/a", "two", 1), mismatches("swe/b", "one", 2)];
      for (const found of [mismatches("sea/a", "one", 1), ...all, mismatches("sea/a", "one", 2)])
        await world.directory.keepMismatches(found);
      await world.restart();
      const kept = await world.directory.mismatches();
      expect([...kept].sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1))).toEqual(all);
    });

    it("keeps what each replica counted of the policy that is tried over a restart, never less for more, and of no other policy", async () => {
      const kept = async (candidate: string): Promise<readonly ShadowCounts[]> =>
        [...(await world.directory.shadows(candidate))].sort((left, right) => (left.replica < right.replica ? -1 : 1));
      for (const counts of [shadowCounts("a", "one", 3), shadowCounts("a", "two", 1), shadowCounts("a", "one", 2)])
        await world.directory.keepShadow(counts);
      await world.restart();
      expect(await kept("a")).toEqual([shadowCounts("a", "one", 3), shadowCounts("a", "two", 1)]);
      expect(await kept("b")).toEqual([]);
      await world.directory.keepShadow(shadowCounts("b", "one", 1));
      expect(await kept("a")).toEqual([]);
      expect(await kept("b")).toEqual([shadowCounts("b", "one", 1)]);
    });

    it("remembers the latest use of each key, within a minute for everybody", async () => {
      const atMs = world.nowMs();
      world.directory.touchKey("acme", "key_1", atMs);
      world.directory.touchKey("acme", "key_1", atMs - 5);
      world.directory.touchKey("acme", "key_2", atMs + 7);
      world.directory.touchKey("other", "key_1", atMs + 9);
      await world.advance(60_000);
      const expected = new Map([
        ["key_1", atMs],
        ["key_2", atMs + 7],
      ]);
      for (let lookup = 0; lookup < 2; lookup++) expect(new Map(await world.directory.lastUsed("acme"))).toEqual(expected);
    });

    it("keeps the use of keys over an orderly restart", async () => {
      world.directory.touchKey("acme", "key_1", 123);
      await world.restart();
      expect(new Map(await world.directory.lastUsed("acme"))).toEqual(new Map([["key_1", 123]]));
    });
  });
}

function digestKeysOf(world: StoreWorld, seed: number): DigestKeys {
  const unasked = (): never => {
    throw new Error("a tenant without a secret has no key to go on with");
  };
  const entropy = { bytes: (count: number) => new Uint8Array(count).fill(seed) };
  const clock = { nowMs: () => world.nowMs(), after: () => () => undefined };
  const secretBox = createSecretBox([], entropy);
  const { directory } = world;
  return new DirectoryDigestKeys({ directory, clock, entropy, sha256: unasked, secretBox, catalogue: unasked });
}

function nameOf({ deployment, replica }: PlaceMismatches): string {
  return `${deployment} ${replica}`;
}
