import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import { isLoaded, loadedFile } from "../../src/bundle/loaded-bundles.ts";
import { isBundle, readShelf, type ShelfRead } from "../../src/bundle/read-shelf.ts";
import { authorise } from "../../src/policy/authorise.ts";
import type { CatalogueFile } from "../../src/region/read-catalogue.ts";
import { tenantIn } from "../policy/policy-fixture.ts";
import { files as regionFiles, policyText, sha256 } from "../region/regions-fixture.ts";
import { bundleText, key, keysOf, otherKey, type BundleParts } from "./bundle-fixture.ts";

const keys = await keysOf(key);

function bundle(name: string, text: string): CatalogueFile {
  return { path: `regions/bundles/${name}.json`, text };
}

function read(bundles: readonly CatalogueFile[], before?: PolicyShelf, files = regionFiles()): Promise<ShelfRead> {
  return readShelf({ files: [...files, ...bundles], keys, sha256, before });
}

async function shelf(bundles: readonly CatalogueFile[], before?: PolicyShelf): Promise<PolicyShelf> {
  const shelved = await read(bundles, before);
  if (!shelved.ok) throw new Error(shelved.report);
  return shelved.shelf;
}

/** What decides at an instant: a version, or that nothing does. */
function decidedBy(policies: PolicyShelf, atMs: number): string {
  const { policy, catalogue } = policies.at(atMs);
  const request = { tenant: tenantIn("SG"), modelName: "gpt-a", surface: "chat.completions" } as const;
  const decision = authorise(request, policy, catalogue, atMs);
  return decision.ok ? decision.value.policyVersion : decision.refusal.kind;
}

describe("which policy decides", () => {
  it("is the folder's policy.toml where no keys are set, and its bundles are told to be left aside", async () => {
    const given = [...regionFiles(), bundle("a", await bundleText("a"))];
    const shelved = await readShelf({ files: given, keys: undefined, sha256, before: undefined });
    expect(shelved.ok && decidedBy(shelved.shelf, 0)).toBe("1");
    expect(shelved.ok && shelved.shelf.refused).toMatchObject([{ file: "regions/bundles/a.json" }]);
  });

  it("is never policy.toml where keys are set", async () => {
    for (const bundles of [[], [bundle("a", await bundleText("a", {}, otherKey))], [bundle("a", "{}")]]) {
      const shelved = await read(bundles);
      expect(shelved).toMatchObject({ ok: false, report: expect.stringContaining("bundle") as string });
    }
  });

  it("is the one in force that began last, and none outside of their dates", async () => {
    const policies = await shelf([
      bundle("early", await bundleText("early", { from: 100, to: 500 })),
      bundle("late", await bundleText("late", { from: 200, to: 300 })),
      bundle("again", await bundleText("again", { from: 600 })),
    ]);
    const seen = [99, 100, 199, 200, 299, 300, 499, 500, 599, 600, 1e12].map((atMs) => decidedBy(policies, atMs));
    const none = "policy_not_in_force";
    expect(seen).toEqual([none, "early", "early", "late", "late", "early", "early", none, none, "again", "again"]);
  });

  it("is the same for every replica at every instant, in whatever order it is asked", async () => {
    const part = fc.record({ from: fc.integer({ min: 0, max: 50 }), length: fc.integer({ min: 1, max: 50 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(part, { minLength: 1, maxLength: 5, selector: ({ from }) => from }),
        fc.array(fc.integer({ min: -1, max: 101 }), { minLength: 1, maxLength: 20 }),
        async (parts, instants) => {
          const bundles = await Promise.all(
            parts.map(async ({ from, length }) => bundle(`b${from}`, await bundleText(`b${from}`, { from, to: from + length }))),
          );
          const [one, other] = [await shelf(bundles), await shelf(bundles.toReversed())];
          for (const atMs of instants) {
            const inForce = parts.filter(({ from, length }) => from <= atMs && atMs < from + length);
            const last = inForce.reduce((latest, { from }) => Math.max(latest, from), -1);
            expect(decidedBy(one, atMs)).toBe(last < 0 ? "policy_not_in_force" : `b${last}`);
            expect(decidedBy(other, atMs)).toBe(decidedBy(one, atMs));
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("brings the groups of its own with it, which the catalogue's files name", async () => {
    const wider = policyText.replace('countries = ["CN", "HK", "MO"]', 'countries = ["CN", "HK", "MO", "TW"]');
    const policies = await shelf([
      bundle("a", await bundleText("a", { from: 0 })),
      bundle("b", await bundleText("b", { from: 10, policy: wider })),
    ]);
    const weights = [0, 10].map((atMs) => policies.at(atMs).catalogue.models.get("gpt-a")?.weightsNotIn.has("TW"));
    expect(weights).toEqual([false, true]);
    expect(policies.at(0).catalogue.digest).not.toBe(policies.at(10).catalogue.digest);
  });
});

describe("a bundle that does not hold", () => {
  const refusals: readonly (readonly [string, string | Promise<string>, RegExp])[] = [
    ["is no JSON", "{", /not JSON/],
    ["is another document", '{"bundle":{}}', /not a policy bundle/],
    ["is signed by somebody else", bundleText("2", { from: 5 }, otherKey), /no key that is trusted/],
    ["ends before it begins", bundleText("2", { from: 5, to: 5 }), /ends before it begins/],
    [
      "names what the catalogue has not",
      bundleText("2", { from: 5, policy: `${policyText}makers = ["nobody"]\n` }),
      /2\.json\/policy\.toml:\d+: /,
    ],
    ["has the version of another", bundleText("1", { from: 5 }), /same version/],
    ["begins at the same instant as another", bundleText("2"), /same instant/],
  ];
  for (const [what, text, reason] of refusals) {
    it(`is not taken where it ${what}, and the others go on`, async () => {
      const policies = await shelf([bundle("1", await bundleText("1")), bundle("2", await text)]);
      expect(policies.refused).toMatchObject([{ file: "regions/bundles/2.json", keptVersion: undefined }]);
      expect(policies.refused[0]?.reason).toMatch(reason);
      expect(decidedBy(policies, 10)).toBe("1");
    });
  }

  it("leaves the last good one of its file", async () => {
    const first = await shelf([bundle("a", await bundleText("good"))]);
    const second = await shelf([bundle("a", await bundleText("bad", {}, otherKey))], first);
    expect(decidedBy(second, 0)).toBe("good");
    expect(second.refused).toMatchObject([{ file: "regions/bundles/a.json", keptVersion: "good" }]);
    const third = await shelf([bundle("a", await bundleText("better"))], second);
    expect([decidedBy(third, 0), third.refused]).toEqual(["better", []]);
  });

  it("is kept with the regions that it was read with, where changed ones go together with the next bundle alone", async () => {
    const wider = policyText.replace("[groups.CN]", '[groups.new]\ncountries = ["TW"]\n\n[groups.CN]');
    const bundles = [
      bundle("now", await bundleText("now", { from: 0 })),
      bundle("next", await bundleText("next", { from: 10, policy: wider })),
    ];
    const before = await shelf(bundles);
    const changed = regionFiles().map(({ path, text }) => ({ path, text: text.replaceAll('"group:CN"', '"group:new"') }));
    const after = await read(bundles, before, changed);
    if (!after.ok) throw new Error(after.report);
    expect([0, 10].map((atMs) => decidedBy(after.shelf, atMs))).toEqual(["now", "next"]);
    expect(after.shelf.at(0)).toBe(before.at(0));
    expect(after.shelf.at(10).catalogue.digest).not.toBe(before.at(10).catalogue.digest);
    expect(after.shelf.refused).toMatchObject([{ file: "regions/bundles/now.json", keptVersion: "now" }]);
  });

  it("leaves all of them where none would be left", async () => {
    const first = await shelf([bundle("a", await bundleText("good"))]);
    expect(await read([], first)).toMatchObject({ ok: false });
  });
});

describe("a bundle that is tried as a shadow", () => {
  it("decides nothing, needs no signature, and is there to be compared with", async () => {
    const parts: BundleParts = { from: 0 };
    const policies = await shelf([
      bundle("a", await bundleText("a")),
      bundle("next.shadow", await bundleText("next", parts, otherKey)),
    ]);
    expect(decidedBy(policies, 10)).toBe("a");
    expect(policies.shadow?.world.policy.version).toBe("next");
    expect(policies.policies).toHaveLength(1);
  });

  it("is the first of several, and the others are told of", async () => {
    const shadows = [bundle("x.shadow", await bundleText("x")), bundle("y.shadow", await bundleText("y"))];
    const policies = await shelf([bundle("a", await bundleText("a")), ...shadows]);
    expect(policies.shadow?.world.policy.version).toBe("x");
    expect(policies.refused).toMatchObject([
      { file: "regions/bundles/y.shadow.json", reason: expect.stringContaining("x.shadow") },
    ]);
  });

  it("is told of where it cannot be read", async () => {
    const policies = await shelf([bundle("a", await bundleText("a")), bundle("next.shadow", "{")]);
    expect([policies.shadow, policies.refused]).toMatchObject([undefined, [{ file: "regions/bundles/next.shadow.json" }]]);
  });
});

describe("bundles that were loaded", () => {
  const loaded = (letter: string, text: string, shadow = false): CatalogueFile =>
    loadedFile({ digest: letter.repeat(64), shadow, text });

  it("decide together with those of the folder, each from its beginning on", async () => {
    const policies = await shelf([
      bundle("early", await bundleText("early", { from: 100 })),
      loaded("a", await bundleText("late", { from: 200, to: 300 })),
      loaded("b", await bundleText("tried"), true),
    ]);
    expect([99, 100, 200, 299, 300].map((atMs) => decidedBy(policies, atMs))).toEqual([
      "policy_not_in_force",
      "early",
      "late",
      "late",
      "early",
    ]);
    expect(policies.shadow?.world.policy.version).toBe("tried");
    expect(policies.policies.map(({ file }) => isLoaded(file))).toEqual([false, true]);
    expect(policies.refused).toEqual([]);
  });

  it("stand in a file as well without a word, and go on when that is gone", async () => {
    const same = await bundleText("same", { from: 100 });
    const base = bundle("base", await bundleText("base"));
    const both = await shelf([base, bundle("same", same), loaded("a", same)]);
    expect([both.policies.length, both.refused]).toEqual([2, []]);
    expect(decidedBy(await shelf([base, loaded("a", same)], both), 100)).toBe("same");
  });

  it("are not taken where the store says what nobody signed, and the others go on", async () => {
    const good = await bundleText("good");
    const changed = good.replace('"good"', '"evil"');
    for (const text of ["{", "", changed, await bundleText("evil", { from: 5 }, otherKey)]) {
      const policies = await shelf([bundle("a", good), loaded("b", text)]);
      expect(policies.refused).toMatchObject([{ file: expect.stringMatching(/^loaded\//) as string, keptVersion: undefined }]);
      expect(decidedBy(policies, 10)).toBe("good");
    }
  });

  it("pass for no file of the regions, whatever the store says their digest is", async () => {
    for (const digest of ["../regions/policy.toml", "sea.toml", "x/policy.toml", "abc.toml\0"])
      expect(isBundle(loadedFile({ digest, shadow: false, text: "" }).path)).toBe(true);
  });
});
