import { afterEach, expect, test } from "vitest";
import { sumByDeployment } from "../../src/place-mismatches.ts";
import { order } from "../revocation/orders.ts";
import { mismatches } from "../stores/samples.ts";
import { served, type Served } from "./cli-fixture.ts";

let world: Served | undefined;
afterEach(() => world?.stop());

const serving = async (...found: readonly ReturnType<typeof mismatches>[]): Promise<Served> =>
  (world = await served({ placeAlarm: { list: async () => sumByDeployment(found) } }));

test("mismatches shows what is out of use, on which replicas and why, and what was counted", async () => {
  const { ports, run } = await serving(mismatches("sea/a", "one", 2, { connections: 1, last: "was elsewhere" }));
  ports.orders?.learn([order("1", { deployment: "sea/a" }, { by: "gateway", reason: "quarantined: was elsewhere" })], "test");
  const shown = await run(["mismatches"]);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(
    /^OUT OF USE +SINCE +ORDER +ON REPLICAS +BECAUSE\nsea\/a +2026-11-23T00:00:00.000Z +revocation_1 +all 1 +quarantined: was elsewhere\n/,
  );
  expect(shown.stdout).toMatch(/\n\nDEPLOYMENT +ANSWERS +CONNECTIONS .*\nsea\/a +2 +1 .*req_2 +was elsewhere\n$/);
  const { stdout } = await run(["mismatches", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ quarantined: [{ id: "revocation_1" }], placeMismatches: [{ answers: 2 }] });
}, 20_000);

test("mismatches says in words where there is nothing", async () => {
  const { run } = await serving();
  const shown = await run(["mismatches"]);
  expect([shown.code, shown.stdout]).toEqual([0, ""]);
  expect(shown.stderr).toMatch(/Nothing is out of use.*\nNo deployment ever/);
}, 20_000);
