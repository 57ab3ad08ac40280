import { describe, expect, it } from "vitest";
import { keepEveryMs, type Shadow } from "../../src/bundle/shadow.ts";
import { authorise } from "../../src/policy/authorise.ts";
import type { World } from "../../src/policy/world.ts";
import type { Policy } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn } from "../policy/policy-fixture.ts";
import { control } from "../control/control-fixture.ts";
import { MemoryDirectory } from "../control/memory-directory.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { shadowOf } from "./shadow-fixture.ts";

const catalogue = catalogueWith([modelOf("gpt"), [{ countries: ["US"] }, { countries: ["JP"] }]]);
const active = policyWith();
const noJapan = ruleOf("weights_location", { neverIn: new Set(["JP"]) }, { id: "no-japan" });
const singapore = tenantIn("SG");

function see(shadow: Shadow, tenant: Tenant, atMs = 0, policy: Policy = active): void {
  const decision = authorise({ tenant, modelName: "gpt", surface: "chat.completions" }, policy, catalogue, atMs);
  shadow.see(tenant.id, decision, atMs);
}

describe("a candidate beside the active policy", () => {
  it("is compared with every decision, and what differs is counted and listed", async () => {
    const world: World = { catalogue, policy: policyWith(noJapan) };
    const shadow = shadowOf(() => world);
    for (const atMs of [1, 2, 3]) see(shadow, singapore, atMs);
    see(shadow, { ...tenantIn("SG"), id: "denied", denyCountries: ["JP"] }, 4);
    expect(await shadow.report()).toMatchObject({ compared: 4, different: 3, unlisted: 0 });
    expect((await shadow.report())?.differences).toEqual([
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

  it("shows a refusal on either side", async () => {
    const closed = ruleOf("tier", {}, { tenantsIn: new Set(["SG"]) });
    const stricter = shadowOf(() => world);
    const world: World = { catalogue, policy: policyWith(closed) };
    see(stricter, singapore);
    expect((await stricter.report())?.differences).toMatchObject([
      { activeRefusal: undefined, candidateRefusal: "policy_denied", lost: ["gpt/1", "gpt/2"] },
    ]);
    const open: World = { catalogue, policy: active };
    const looser = shadowOf(() => open);
    see(looser, singapore, 0, policyWith(closed));
    expect((await looser.report())?.differences).toMatchObject([{ activeRefusal: "policy_denied", gained: ["gpt/1", "gpt/2"] }]);
  });

  it("is compared as it would decide when it is in force, and anew where one of its rules begins", async () => {
    const later = { ...noJapan, effectiveFromMs: 100 };
    const policy = { ...policyWith(later), effectiveFromMs: 1_000_000 };
    const world: World = { catalogue, policy };
    const shadow = shadowOf(() => world);
    see(shadow, singapore, 99);
    expect(await shadow.report()).toMatchObject({ compared: 1, different: 0 });
    see(shadow, singapore, 100);
    expect(await shadow.report()).toMatchObject({ compared: 2, different: 1 });
  });

  it("begins to count anew where another takes its place, and is none where there is none", async () => {
    let world: World | undefined = { catalogue, policy: policyWith(noJapan) };
    const shadow = shadowOf(() => world);
    see(shadow, singapore);
    expect(await shadow.report()).toMatchObject({ compared: 1, different: 1 });
    world = { catalogue, policy: { ...active, digest: "another" } };
    see(shadow, singapore);
    expect(await shadow.report()).toMatchObject({ compared: 1, different: 0 });
    world = undefined;
    see(shadow, singapore);
    expect(await shadow.report()).toBeUndefined();
  });
});

describe("replicas that try one candidate", () => {
  const world: World = { catalogue, policy: policyWith(noJapan) };
  const replicas = (count: number, records: MemoryDirectory, clock: FakeClock): readonly Shadow[] =>
    Array.from({ length: count }, (_, index) => shadowOf(() => world, { records, clock, replica: `replica-${index}` }));

  it("count together what each of them met, also what one counted that runs no more, and nothing twice", async () => {
    const [records, clock] = [new MemoryDirectory(), new FakeClock()];
    const [one, two] = replicas(2, records, clock) as [Shadow, Shadow];
    for (const atMs of [3, 4]) see(one, singapore, atMs);
    see(two, { ...tenantIn("SG"), id: "denied", denyCountries: ["JP"] }, 5);
    see(two, singapore, 2);
    await clock.pass(keepEveryMs);
    see(one, singapore, 9);
    const report = { replicas: 2, compared: 5, different: 4, unlisted: 0 };
    expect(await one.report()).toMatchObject({ ...report, differences: [{ requests: 4, firstAtMs: 2, lastAtMs: 9 }] });
    // The other one has not heard of the last request yet.
    expect(await two.report()).toMatchObject({ ...report, compared: 4, different: 3 });
    await clock.pass(keepEveryMs);
    expect(await two.report()).toMatchObject(report);
    expect(await shadowOf(() => world, { records, replica: "new" }).report()).toMatchObject(report);
  });

  it("write once in a while, and nothing where nothing was met", async () => {
    const [records, clock] = [new MemoryDirectory(), new FakeClock()];
    const [one] = replicas(1, records, clock) as [Shadow];
    let written = 0;
    const keep = records.keepShadow.bind(records);
    records.keepShadow = (counts) => {
      written += 1;
      return keep(counts);
    };
    for (let request = 0; request < 1_000; request += 1) see(one, singapore);
    await clock.pass(10 * keepEveryMs, 10);
    expect(written).toBe(1);
  });

  it("tell again what could not be put on record, and go on counting over a candidate that was read again", async () => {
    const [records, clock] = [new MemoryDirectory(), new FakeClock()];
    let read = { ...world };
    const shadow = shadowOf(() => read, { records, clock });
    const keep = records.keepShadow.bind(records);
    records.keepShadow = () => Promise.reject(new Error("away"));
    see(shadow, singapore);
    await clock.pass(keepEveryMs);
    expect(records.shadowCounts.size).toBe(0);
    records.keepShadow = keep;
    read = { ...world };
    see(shadow, singapore);
    await clock.pass(keepEveryMs);
    expect([...records.shadowCounts.values()]).toMatchObject([{ compared: 2, different: 2 }]);
  });
});

describe("GET /policy/shadow", () => {
  it("shows the candidate with what it would decide otherwise, or that there is none", async () => {
    const world: World = { catalogue, policy: { ...policyWith(noJapan), version: "next" } };
    const shadow = shadowOf(() => world);
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
