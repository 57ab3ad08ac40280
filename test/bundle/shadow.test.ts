import { describe, expect, it } from "vitest";
import { Shadow } from "../../src/bundle/shadow.ts";
import { authorise } from "../../src/policy/authorise.ts";
import type { World } from "../../src/policy/world.ts";
import type { Policy } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn } from "../policy/policy-fixture.ts";
import { control } from "../control/control-fixture.ts";

const catalogue = catalogueWith([modelOf("gpt"), [{ countries: ["US"] }, { countries: ["JP"] }]]);
const active = policyWith();
const noJapan = ruleOf("weights_location", { neverIn: new Set(["JP"]) }, { id: "no-japan" });
const singapore = tenantIn("SG");

function see(shadow: Shadow, tenant: Tenant, atMs = 0, policy: Policy = active): void {
  const decision = authorise({ tenant, modelName: "gpt", surface: "chat.completions" }, policy, catalogue, atMs);
  shadow.see(tenant.id, decision, atMs);
}

describe("a candidate beside the active policy", () => {
  it("is compared with every decision, and what differs is counted and listed", () => {
    const world: World = { catalogue, policy: policyWith(noJapan) };
    const shadow = new Shadow(() => world);
    for (const atMs of [1, 2, 3]) see(shadow, singapore, atMs);
    see(shadow, { ...tenantIn("SG"), id: "denied", denyCountries: ["JP"] }, 4);
    expect(shadow.report()).toMatchObject({ compared: 4, different: 3, unlisted: 0 });
    expect(shadow.report()?.differences).toEqual([
      {
        tenantId: "tenant_a",
        model: "gpt",
        surface: "chat.completions",
        activeRefusal: undefined,
        candidateRefusal: undefined,
        activeModel: "gpt",
        candidateModel: "gpt",
        lost: ["gpt/2"],
        gained: [],
        requests: 3,
        firstAtMs: 1,
        lastAtMs: 3,
      },
    ]);
  });

  it("shows a refusal on either side", () => {
    const closed = ruleOf("tier", {}, { tenantsIn: new Set(["SG"]) });
    const stricter = new Shadow(() => world);
    const world: World = { catalogue, policy: policyWith(closed) };
    see(stricter, singapore);
    expect(stricter.report()?.differences).toMatchObject([
      { activeRefusal: undefined, candidateRefusal: "policy_denied", lost: ["gpt/1", "gpt/2"] },
    ]);
    const open: World = { catalogue, policy: active };
    const looser = new Shadow(() => open);
    see(looser, singapore, 0, policyWith(closed));
    expect(looser.report()?.differences).toMatchObject([{ activeRefusal: "policy_denied", gained: ["gpt/1", "gpt/2"] }]);
  });

  it("is compared as it would decide when it is in force, and anew where one of its rules begins", () => {
    const later = { ...noJapan, effectiveFromMs: 100 };
    const policy = { ...policyWith(later), effectiveFromMs: 1_000_000 };
    const world: World = { catalogue, policy };
    const shadow = new Shadow(() => world);
    see(shadow, singapore, 99);
    expect(shadow.report()).toMatchObject({ compared: 1, different: 0 });
    see(shadow, singapore, 100);
    expect(shadow.report()).toMatchObject({ compared: 2, different: 1 });
  });

  it("begins to count anew where another takes its place, and is none where there is none", () => {
    let world: World | undefined = { catalogue, policy: policyWith(noJapan) };
    const shadow = new Shadow(() => world);
    see(shadow, singapore);
    expect(shadow.report()).toMatchObject({ compared: 1, different: 1 });
    world = { catalogue, policy: active };
    see(shadow, singapore);
    expect(shadow.report()).toMatchObject({ compared: 1, different: 0 });
    world = undefined;
    see(shadow, singapore);
    expect(shadow.report()).toBeUndefined();
  });
});

describe("GET /policy/shadow", () => {
  it("shows the candidate with what it would decide otherwise, or that there is none", async () => {
    const world: World = { catalogue, policy: { ...policyWith(noJapan), version: "next" } };
    const shadow = new Shadow(() => world);
    see(shadow, singapore, Date.UTC(2026, 0, 1));
    const { json } = await control({ shadow }).call("GET", "/policy/shadow");
    expect(json["shadow"]).toMatchObject({
      version: "next",
      different: 1,
      differences: [{ tenant: "tenant_a", lost: ["gpt/2"], requests: 1, firstAt: "2026-01-01T00:00:00.000Z" }],
    });
    expect((await control().call("GET", "/policy/shadow")).json).toEqual({ shadow: null });
  });
});
