import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { emptyFolder, served, strait } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 60_000 });

test("a policy is built, signed and verified by the command, and no longer holds once a word of it is changed", async () => {
  const folder = mkdtempSync(join(emptyFolder, "policy-"));
  const at = (name: string): string => join(folder, name);
  const keygen = await strait(["policy", "keygen", at("key.json")]);
  expect(keygen.code).toBe(0);
  expect(statSync(at("key.json")).mode & 0o777).toBe(0o600);
  expect(keygen.stdout).not.toContain(JSON.parse(readFileSync(at("key.json"), "utf8")).d);
  writeFileSync(at("keys.json"), keygen.stdout);
  const dates = ["--from", "2026-12-01T00:00:00Z", "--to", "2027-01-01T08:00:00+08:00"];
  expect((await strait(["policy", "build", ...dates, "--out", at("built.json")])).code).toBe(0);
  expect((await strait(["policy", "sign", at("built.json"), "--key", at("key.json"), "--out", at("signed.json")])).code).toBe(0);
  const sign = ["policy", "sign", at("built.json"), "--key", at("key.json"), "--out"];
  expect((await strait([...sign, at("bundles/signed.json")])).code).toBe(0);
  expect(readFileSync(at("bundles/signed.json"), "utf8")).toBe(readFileSync(at("signed.json"), "utf8"));
  expect((await strait([...sign, at("region/bundles/signed.json")])).code).toBe(2);
  const verified = await strait(["policy", "verify", at("signed.json"), "--keys", at("keys.json"), "--json"]);
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({
    ok: true,
    effectiveFrom: "2026-12-01T00:00:00.000Z",
    effectiveTo: "2027-01-01T00:00:00.000Z",
  });
  expect((await strait(["policy", "verify", at("built.json"), "--keys", keygen.stdout.trim()])).code).toBe(1);
  writeFileSync(at("changed.json"), readFileSync(at("signed.json"), "utf8").replace("group:CN", "group:XX"));
  const changed = await strait(["policy", "verify", at("changed.json")], { STRAIT_POLICY_KEYS: at("keys.json") });
  expect([changed.code, changed.stderr]).toEqual([1, expect.stringContaining("its digest is not that of its content")]);
  expect((await strait(["policy", "sign", at("changed.json"), "--key", at("key.json")])).code).toBe(1);
});

test("a private key is written over nothing, and what is missing is said with exit code 2", async () => {
  const file = join(mkdtempSync(join(emptyFolder, "policy-")), "key.json");
  writeFileSync(file, "mine");
  expect((await strait(["policy", "keygen", file])).code).toBe(2);
  expect(readFileSync(file, "utf8")).toBe("mine");
  expect((await strait(["policy", "build", "--from", "tomorrow"])).code).toBe(2);
  expect((await strait(["policy", "build", "--from", "2026-12-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z"])).code).toBe(2);
  expect((await strait(["policy", "verify", file])).code).toBe(1);
});

test("policy show prints what decides, by the operators' API", async () => {
  const api = await served();
  try {
    const run = await api.run(["policy", "show"]);
    expect([run.code, run.stdout]).toEqual([0, expect.stringMatching(/^STATE[^\n]*\nactive +policy-1 /)]);
  } finally {
    await api.stop();
  }
});
