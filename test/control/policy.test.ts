import { describe, expect, it } from "vitest";
import { PolicyShelf, type ShelvedPolicy } from "../../src/bundle/policy-shelf.ts";
import { openPolicy } from "../support/permits.ts";
import { catalogue, control } from "./control-fixture.ts";

const hourMs = 3_600_000;
const nowMs = Date.parse("2026-11-23T12:00:00Z");

function shelved(version: string, effectiveFromMs?: number, effectiveToMs?: number): ShelvedPolicy {
  const policy = { ...openPolicy, version, digest: `digest of ${version}`, effectiveFromMs, effectiveToMs };
  return { file: `regions/bundles/${version}.json`, world: { catalogue, policy }, signed: undefined, keyId: "key-1" };
}

describe("GET /policy", () => {
  it("says which policy decides now, which will, which are over, and which bundles were not taken and why", async () => {
    const shelf = new PolicyShelf(
      shelved("next", nowMs + hourMs),
      [shelved("now", nowMs - hourMs), shelved("base"), shelved("over", nowMs - 2 * hourMs, nowMs)],
      [{ file: "regions/bundles/bad.json", reason: "it is not signed", keptVersion: undefined }],
      shelved("tried", nowMs),
    );
    const { status, json } = await control({ policies: () => shelf }).call("GET", "/policy");
    expect(status).toBe(200);
    expect(json["policies"]).toMatchObject([
      { version: "base", state: "superseded", effectiveFrom: null, effectiveTo: null },
      { version: "over", state: "ended", effectiveTo: "2026-11-23T12:00:00.000Z" },
      { version: "now", state: "active", digest: "digest of now", keyId: "key-1", effectiveFrom: "2026-11-23T11:00:00.000Z" },
      { version: "next", state: "pending" },
    ]);
    expect(json["refused"]).toEqual([
      { file: "regions/bundles/bad.json", source: "file", reason: "it is not signed", keptVersion: null },
    ]);
    expect(json["shadow"]).toMatchObject({ version: "tried" });
  });

  it("shows none as active where none is in force", async () => {
    const shelf = new PolicyShelf(shelved("over", undefined, nowMs), [shelved("next", nowMs + 1)], []);
    const { json } = await control({ policies: () => shelf }).call("GET", "/policy");
    expect(json["policies"]).toMatchObject([{ state: "ended" }, { state: "pending" }]);
  });
});
