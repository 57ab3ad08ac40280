import { expect, test } from "vitest";
import { loadedName, type BundleRecords, type LoadedBundle } from "../../src/bundle/loaded-bundles.ts";
import { bundleDigest, makeBundle } from "../../src/region/policy-bundle.ts";
import { isPolicyFile } from "../../src/region/read-catalogue.ts";
import { sha256 } from "../../src/runtime/worker/clock.ts";
import { IsolatePolicies } from "../../src/runtime/worker/isolate-policies.ts";
import { regionFiles } from "../../src/runtime/worker/regions.generated.js";

const unasked = (): never => {
  throw new Error("an isolate changes nothing by itself");
};
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A shadow: the Worker under test was built with a policy that nobody signed. */
function tried(version: string): LoadedBundle {
  const shipped = regionFiles.find(isPolicyFile)?.text ?? "";
  const text = shipped.replace(/^version = .*$/m, `version = "${version}"`);
  const bundle = makeBundle(version, [{ name: "policy.toml", text }], { effectiveFromMs: 0, effectiveToMs: undefined });
  const digest = bundleDigest(bundle, sha256);
  const signed = { bundle, digest, signatures: [] };
  const dates = { effectiveFrom: null, effectiveTo: null, loadedAt: "2026-11-23T12:00:00.000Z" };
  return { digest, version, shadow: true, ...dates, by: null, reason: null, text: JSON.stringify(signed) };
}

function opened(bundles: () => Promise<readonly LoadedBundle[]>): Promise<IsolatePolicies> {
  const records: BundleRecords = { bundleNames: unasked, bundles, addBundle: unasked, removeBundle: unasked };
  return IsolatePolicies.open({ keys: undefined, records, adapt: (world) => world, log: quiet });
}

const one = tried("one");
const two = tried("two");

test("what an isolate hears of is read once, and gone when it is heard of no more", async () => {
  let asked = 0;
  let stored: readonly LoadedBundle[] = [one];
  const policies = await opened(async () => {
    asked++;
    return stored;
  });
  const shadow = (): string | undefined => policies.current().shadow?.world.policy.version;
  expect(shadow()).toBeUndefined();
  await policies.hear([loadedName(one)]);
  await policies.hear([loadedName(one)]);
  expect([shadow(), asked]).toEqual(["one", 1]);
  stored = [];
  await policies.hear([]);
  expect([shadow(), asked]).toEqual([undefined, 2]);
});

test("a store that does not answer is not heard, and asked again; an answer that comes late replaces no newer one", async () => {
  const answers: PromiseWithResolvers<readonly LoadedBundle[]>[] = [];
  const policies = await opened(() => {
    const answer = Promise.withResolvers<readonly LoadedBundle[]>();
    answers.push(answer);
    return answer.promise;
  });
  const failing = policies.hear([loadedName(one)]);
  answers[0]?.reject(new Error("away"));
  await expect(failing).rejects.toThrow("away");
  const earlier = policies.hear([loadedName(one)]);
  const later = policies.hear([loadedName(two)]);
  answers[2]?.resolve([two]);
  await later;
  answers[1]?.resolve([one]);
  await earlier;
  expect(policies.current().shadow?.world.policy.version).toBe("two");
});
