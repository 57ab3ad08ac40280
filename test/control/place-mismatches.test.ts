import { expect, test } from "vitest";
import { sumByDeployment, type PlaceMismatches } from "../../src/place-mismatches.ts";
import { order } from "../revocation/orders.ts";
import { mismatches } from "../stores/samples.ts";
import { control } from "./control-fixture.ts";

function alarmOver(found: readonly PlaceMismatches[]) {
  return { list: async () => sumByDeployment(found) };
}

test("counts and what is out of use now are shown in one answer; what was restored counts on", async () => {
  const { call, ports } = control({ placeAlarm: alarmOver([mismatches("sea/a", "one", 2), mismatches("swe/b", "two", 5)]) });
  const quarantine = order("1", { deployment: "sea/a" }, { by: "gateway", reason: "quarantined: was elsewhere" });
  const lifted = order("2", { deployment: "swe/b" }, { by: "gateway", restored: { atMs: 5, by: "operator" } });
  ports.orders?.learn([quarantine, lifted, order("3", { deployment: "swe/b" })], "test");
  const { status, json } = await call("GET", "/place-mismatches");
  expect(status).toBe(200);
  expect(json).toEqual({
    placeMismatches: [
      expect.objectContaining({ deployment: "swe/b", answers: 5, lastAt: "1970-01-01T00:00:01.005Z", lastRequest: "req_5" }),
      expect.objectContaining({ deployment: "sea/a", answers: 2, connections: 0, firstAt: "1970-01-01T00:00:01.000Z" }),
    ],
    quarantined: [
      expect.objectContaining({
        id: quarantine.id,
        deployment: "sea/a",
        issuedAt: "2026-11-23T00:00:00.000Z",
        reason: "quarantined: was elsewhere",
        missing: [],
        acknowledgements: [expect.objectContaining({ replica: "replica-1", learnedBy: "test" })],
      }),
    ],
  });
});
