import { afterEach, beforeEach, expect, test } from "vitest";
import { served, type Served } from "./cli-fixture.ts";

let world: Served;
beforeEach(async () => {
  world = await served();
});
afterEach(() => world.stop());

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
