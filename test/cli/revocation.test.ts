import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { publishedKeys } from "../../src/transparency/log-keys.ts";
import { noteSigner } from "../../src/transparency/signed-note.ts";
import { logKeys, newKey } from "../transparency/log-fixture.ts";
import { served, strait, type Served } from "./cli-fixture.ts";

let world: Served;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "strait-revocation-"));
  const keys = await logKeys(await newKey());
  writeFileSync(join(folder, "keys.json"), JSON.stringify(publishedKeys(keys)));
  const of = (): never => {
    throw new Error("no log is asked");
  };
  const sign = noteSigner(keys, systemClock, hashes.sha256Bytes);
  world = await served({ logs: { published: publishedKeys(keys), sign, of } });
});
afterEach(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("the receipt of an order is signed, and verified later without the gateway", async () => {
  const [file, keys] = [join(folder, "receipt.txt"), join(folder, "keys.json")];
  expect(await world.run(["revoke", "--model", "gpt-5", "--reason", "a leak", "--receipt", file])).toMatchObject({ code: 0 });
  const note = readFileSync(file, "utf8");
  const verified = await strait(["revocation", "verify", file, "--key", keys]);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Signed: drawn up at 20\S+, by key /) });
  expect(verified.stdout).toMatch(/Revoked {3}model gpt-5\nReason {4}a leak/);
  expect(world.directory.audits[0]).toMatchObject({ action: "revocation.receipt", detail: { signed: note } });
  const [id = ""] = /revocation_[0-9a-f]+/.exec(note) ?? [];
  expect((await world.run(["revocation", "receipt", id])).stdout).toContain("— strait/revocations ");
  writeFileSync(file, note.replace('"cut":0', '"cut":1'));
  const changed = await strait(["revocation", "verify", file, "--key", keys]);
  expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining("not one of key") });
}, 40_000);

test("revoke shows each replica and the receipt, revocations lists it, restore takes it back", async () => {
  const revoked = await world.run(["revoke", "--model", "gpt-5", "--country", "SG", "--reason", "a leak"]);
  expect(revoked.stderr).toContain("one replica alone holds the order");
  expect(revoked.code).toBe(0);
  expect(revoked.stdout).toMatch(/^REPLICA +LEARNED +BY +CUT +ENDED +LAST BYTE\ntest +2026-\S+ +here +0 +0 +-\n/);
  expect(revoked.stdout).toMatch(/Revoked {3}model gpt-5, country SG\nReason {4}a leak/);
  const [id = ""] = /revocation_[0-9a-f]+/.exec(revoked.stdout) ?? [];
  expect((await world.run(["revocations"])).stdout).toContain(id);
  expect((await world.run(["revocations", id])).stdout).toContain("1 acknowledged, 0 missing");
  expect((await world.run(["restore", id])).stdout).toContain("restored");
  expect(world.ports.orders?.find(id)?.restored).toBeDefined();
}, 30_000);

test("--json is the API's own document", async () => {
  const { stdout, code } = await world.run(["revoke", "--tenant", "acme", "--reason", "x", "--expires", "2d", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ tenant: "acme", complete: true, acknowledgements: [{ name: "test" }] });
}, 20_000);

test("it says what is missing before it asks, and repeats what the API refuses", async () => {
  const nothing = await world.run(["revoke", "--reason", "x"]);
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining("--tenant-country")]);
  const noReason = await world.run(["revoke", "--tenant", "acme"]);
  expect([noReason.code, noReason.stderr]).toEqual([2, expect.stringContaining("--reason")]);
  const unknown = await world.run(["revoke", "--model", "gpt-55", "--reason", "x"]);
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("Did you mean")]);
}, 30_000);
