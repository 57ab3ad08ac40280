import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { decide } from "../../src/policy/decide.ts";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { tenantIn } from "../policy/policy-fixture.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";
import { emptyFolder, served, strait } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 90_000 });

const shipped = join(import.meta.dirname, "../../regions");

/** A copy of the shipped regions in which the policy was changed. */
function changedRegions(from: RegExp, to: string): string {
  const folder = join(mkdtempSync(join(emptyFolder, "regions-")), "regions");
  cpSync(shipped, folder, { recursive: true });
  const path = join(folder, "policy.toml");
  const before = readFileSync(path, "utf8");
  expect(before).toMatch(from);
  writeFileSync(path, before.replace(from, to));
  return folder;
}

test("policy check holds for the shipped policy, and prints whom a narrowed rule lets through, with exit code 1", async () => {
  const holds = await strait(["policy", "check", "--json"]);
  expect(holds.code).toBe(0);
  expect(JSON.parse(holds.stdout)).toMatchObject({ ok: true, counterexamples: [] });
  const narrowed = changedRegions(/owners_in = \["group:CN", "RU", "IR", "KP"\]/, 'owners_in = ["RU", "IR", "KP"]');
  const broken = await strait(["policy", "check", narrowed]);
  expect([broken.code, broken.stdout]).toEqual([1, ""]);
  expect(broken.stderr).toMatch(/^claude-not-for-excluded-owners is broken: /m);
  expect(broken.stderr).toMatch(/registered, led and held in (CN|HK|MO)/);
  expect(broken.stderr).toMatch(/is served +claude-/);
  const bundle = join(narrowed, "bundle.json");
  expect((await strait(["policy", "build", narrowed, "--out", bundle])).code).toBe(0);
  const { digest } = JSON.parse(readFileSync(bundle, "utf8")) as { digest: string };
  const ofBundle = await strait(["policy", "check", "--bundle", bundle, "--json"]);
  expect(ofBundle.code).toBe(1);
  expect(JSON.parse(ofBundle.stderr)).toMatchObject({ ok: false, digest });
});

test("policy diff names the rule that changed and for whom, and policy replay decides a receipt again or says what is missing", async () => {
  const folder = mkdtempSync(join(emptyFolder, "policy-"));
  const [before, after, receipts] = ["before.json", "after.json", "receipts.jsonl"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const changed = changedRegions(/^tenants_in = \["RU", "BY"\]$/m, 'tenants_in = ["RU", "BY", "VA"]');
  writeFileSync(
    join(changed, "policy.toml"),
    readFileSync(join(changed, "policy.toml"), "utf8").replace(/^version = .*$/m, 'version = "after"'),
  );
  expect((await strait(["policy", "build", "--from", "2026-11-01T00:00:00Z", "--out", before])).code).toBe(0);
  expect((await strait(["policy", "build", changed, "--from", "2026-12-01T00:00:00Z", "--out", after])).code).toBe(0);
  const diff = await strait(["policy", "diff", before, after]);
  expect(diff.code).toBe(0);
  expect(diff.stdout).toContain("~ rule frontier-closed-to-russia");
  expect(diff.stdout).toMatch(/^\d+ +VA +.* gpt-5 +gpt-5 +policy_denied/m);

  const { policy, catalogue } = catalogueOf(shippedFiles());
  const asked = { tenant: tenantIn("SG"), modelName: "gpt-4.1", surface: "chat.completions" } as const;
  const { inputs, outcome } = decide(inputsOf(asked, Date.UTC(2026, 10, 25)), policy, catalogue);
  if (!outcome.ok) throw new Error(outcome.refusal.kind);
  const { bundle } = JSON.parse(readFileSync(before, "utf8")) as { bundle: object };
  expect(bundle).toMatchObject({ version: policy.version });
  const { digest } = JSON.parse(readFileSync(before, "utf8")) as { digest: string };
  const receipt = {
    cursor: null,
    requestId: "r1",
    inputs,
    policyDigest: digest,
    catalogueDigest: catalogue.digest,
    model: "gpt-4.1",
    rules: outcome.grant.rules,
    end: "completed",
  };
  const narrow = { requestId: "r2", catalogueDigest: catalogue.digest, refusal: { kind: "key_scope" }, end: "refused" };
  writeFileSync(receipts, [receipt, narrow, narrow].map((line) => `${JSON.stringify(line)}\n`).join(""));
  const same = await strait(["policy", "replay", receipts, "--bundle", before, "--json"]);
  expect([same.code, JSON.parse(same.stdout)]).toMatchObject([
    0,
    { ok: true, same: 1, not_decided: 2, not_decided_by: { key_scope: 2 } },
  ]);
  const inWords = await strait(["policy", "replay", receipts, "--bundle", before]);
  expect(inWords.stdout).toMatch(/^not decided by policy +2 \(key_scope 2\)$/m);
  const absent = await strait(["policy", "replay", join(folder, "nowhere.jsonl"), "--bundle", before]);
  expect([absent.code, absent.stderr]).toEqual([2, expect.stringMatching(/nowhere\.jsonl cannot be read \(ENOENT\)/)]);
  const torn = await strait(["policy", "replay", "-", "--bundle", before], {}, `${JSON.stringify(receipt)}\n\nno receipt\n`);
  expect([torn.code, torn.stderr]).toEqual([2, expect.stringContaining("Line 3 is no receipt")]);
  const missing = await strait(["policy", "replay", receipts]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining(`Not at hand: policy ${digest}`)]);
  const madeUp = Array.from({ length: 30 }, (_, index) => [
    { ...receipt, policyDigest: `made up ${index}` },
    { ...narrow, refusal: { kind: `made up ${index}` } },
  ]);
  writeFileSync(
    receipts,
    madeUp
      .flat()
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(""),
  );
  const many = await strait(["policy", "replay", receipts, "--bundle", before, "--json"]);
  const told = JSON.parse(many.stdout || many.stderr) as { missing: string[]; not_decided_by: Record<string, number> };
  expect(told).toMatchObject({ without_world: 30, not_decided: 30, not_decided_by: { others: 10 } });
  expect([told.missing.length, Object.keys(told.not_decided_by).length]).toEqual([20, 21]);
  writeFileSync(receipts, `${JSON.stringify({ ...receipt, attempts: [{ deployment: "chinanorth3/gpt-4.1" }] })}\n`);
  const different = await strait(["policy", "replay", "-", "--bundle", before], {}, readFileSync(receipts, "utf8"));
  expect([different.code, different.stderr]).toEqual([1, expect.stringContaining("r1: it was sent to chinanorth3/gpt-4.1")]);
});

test("explain and policy shadow go by the operators' API, and say what is missing with exit code 2", async () => {
  const api = await served();
  try {
    await api.call("POST", "/tenants", { id: "acme", name: "Acme" });
    const run = await api.run(["explain", "--tenant", "acme", "--model", "gpt-5"]);
    expect([run.code, run.stdout]).toEqual([0, expect.stringContaining("refused (tenant_not_verified)")]);
    const seat = { registeredCountry: "SG", headquartersCountry: "SG", ultimateParentCountry: "SG", endUse: "software" };
    await api.call("POST", "/tenants", { id: "known", name: "Known", facts: seat, tiers: ["frontier", "standard"] });
    await api.call("POST", "/tenants/known/verification", { state: "verified", evidence: "file 1", reason: "test", by: "test" });
    const known = await api.run(["explain", "--tenant", "known", "--model", "gpt-5"]);
    expect(known.stdout).toContain("nothing against it: tenant:tiers");
    expect((await api.run(["explain", "--tenant", "acme"])).code).toBe(2);
    expect((await api.run(["explain", "--tenant", "nobody", "--model", "gpt-5"])).code).toBe(1);
    const shadow = await api.run(["policy", "shadow"]);
    expect([shadow.code, shadow.stdout.trim()]).toEqual([0, "No bundle is tried as a shadow."]);
  } finally {
    await api.stop();
  }
});
