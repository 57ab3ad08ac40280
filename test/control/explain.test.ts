import { describe, expect, it } from "vitest";
import { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import type { RevocationScope } from "../../src/revocation/order.ts";
import type { ControlPorts } from "../../src/control/create-control.ts";
import { Health } from "../../src/routing/health.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";
import { control, decided, type Fixture } from "./control-fixture.ts";

const world = catalogueOf(shippedFiles());
const shelf = new PolicyShelf({ file: "regions/policy.toml", world, signed: undefined, keyId: undefined }, [], []);

async function withTenant(country: string, health = new Health(), more: Partial<ControlPorts> = {}): Promise<Fixture> {
  const fixture = control({ policies: () => shelf, catalogue: () => world.catalogue, health, ...more });
  const facts = { registeredCountry: country, headquartersCountry: country, ultimateParentCountry: country, endUse: "research" };
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme", facts, tiers: ["frontier", "standard"] });
  await fixture.call("POST", "/tenants/acme/verification", { ...decided, state: "verified" });
  return fixture;
}

/** The credential of one region alone. */
const onlyJapan: ControlPorts["credentials"] = ({ id }) => (id === "japaneast" ? "secret" : undefined);

interface Candidate {
  deployment: string;
  admitted: boolean;
  available: boolean;
  latencyMs: number | null;
  chanceBasisPoints: number;
  countries: string;
  findings: { rule: string; outcome: string; decision: string }[];
}

interface Explanation {
  evaluations: { candidates: Candidate[]; subject: Candidate["findings"] }[];
}

async function candidatesOf(fixture: Fixture): Promise<Candidate[]> {
  const { text } = await fixture.call("GET", "/tenants/acme/explain?model=gpt-4.1");
  return (JSON.parse(text) as Explanation).evaluations[0]?.candidates ?? [];
}

describe("GET /tenants/{tenantId}/explain", () => {
  it("shows every deployment of the model, with the rules that admit or refuse it, those that would be tried first in front", async () => {
    const fixture = await withTenant("CN");
    const { status, json } = await fixture.call("GET", "/tenants/acme/explain?model=gpt-4.1");
    expect(status).toBe(200);
    expect(json).toMatchObject({ served: "gpt-4.1", refusal: null, policy: { version: world.policy.version } });
    const candidates = await candidatesOf(fixture);
    expect(candidates.map(({ deployment }) => deployment).sort()).toEqual(
      world.catalogue.deploymentsByModel
        .get("gpt-4.1")
        ?.map(({ id }) => id)
        .sort(),
    );
    const refused = candidates.find(({ countries }) => countries === "*");
    expect(refused).toMatchObject({ admitted: false, chanceBasisPoints: 0 });
    expect(refused?.findings).toContainEqual(
      expect.objectContaining({ rule: "offshore-only", outcome: "match", decision: "deny" }),
    );
    const sum = candidates.reduce((total, { chanceBasisPoints }) => total + chanceBasisPoints, 0);
    expect(Math.abs(sum - 10_000)).toBeLessThan(candidates.length);
    const order = candidates.map(({ admitted, chanceBasisPoints }) => (admitted ? 1 : 0) * 20_000 + chanceBasisPoints);
    expect(order).toEqual(order.toSorted((a, b) => b - a));
  });

  it("says which deployments have no credential here: none of them would be tried, and orders against the others leave nothing", async () => {
    const fixture = await withTenant("SG", new Health(), { credentials: onlyJapan });
    const [first, ...others] = await candidatesOf(fixture);
    expect(first).toMatchObject({ deployment: "japaneast/gpt-4.1", hasCredential: true, chanceBasisPoints: 10_000 });
    expect(others.some(({ admitted }) => admitted)).toBe(true);
    for (const other of others) expect(other).toMatchObject({ hasCredential: false, chanceBasisPoints: 0 });
    await fixture.call("POST", "/revocations", { region: "japaneast", reason: "test" });
    const { json } = await fixture.call("GET", "/tenants/acme/explain?model=gpt-4.1");
    expect(json).toMatchObject({ served: null, refusal: { kind: "revoked" } });
    const nowhere = await withTenant("SG", new Health(), { credentials: () => undefined });
    const answer = await nowhere.call("GET", "/tenants/acme/explain?model=gpt-4.1");
    expect(answer.json).toMatchObject({ served: null, refusal: { kind: "no_deployment_available" } });
  });

  it("shows what is refused as the client would be told, with the rule that refuses the tenant", async () => {
    const { json, text } = await (await withTenant("CN")).call("GET", "/tenants/acme/explain?model=claude-opus-4-5");
    expect(json).toMatchObject({ served: null, surface: "messages", refusal: { kind: "policy_denied" } });
    const [evaluation] = (JSON.parse(text) as Explanation).evaluations;
    expect(evaluation?.subject).toContainEqual(
      expect.objectContaining({ rule: "anthropic-ownership", outcome: "match", decision: "deny" }),
    );
  });

  it("decides by the rules of the instant that is asked for", async () => {
    const path = "/tenants/acme/explain?model=claude-opus-4-5&at=2025-01-01T00%3A00%3A00Z";
    const { json } = await (await withTenant("CN")).call("GET", path);
    expect(json).toMatchObject({ served: "claude-opus-4-5", at: "2025-01-01T00:00:00.000Z" });
  });

  it("knows what this process has measured: a slow deployment is tried less, and one that rests not at all", async () => {
    const health = new Health();
    const fixture = await withTenant("SG", health);
    const [first, second] = await candidatesOf(fixture);
    health.of(first?.deployment ?? "").answered(2_000);
    health.of(second?.deployment ?? "").busy(fixture.clock.nowMs(), 60_000);
    const candidates = await candidatesOf(fixture);
    const after = (deployment: string | undefined): Candidate | undefined =>
      candidates.find((candidate) => candidate.deployment === deployment);
    expect(after(first?.deployment)).toMatchObject({ latencyMs: 2_000, available: true });
    expect(after(first?.deployment)?.chanceBasisPoints).toBeLessThan(first?.chanceBasisPoints ?? 0);
    expect(after(second?.deployment)).toMatchObject({ available: false, admitted: true, chanceBasisPoints: 0 });
  });

  it("says by which order each deployment is cut off, quarantines among them, and refuses where nothing is left", async () => {
    const fixture = await withTenant("SG");
    const [first, second] = await candidatesOf(fixture);
    const path = "/tenants/acme/explain?model=gpt-4.1";
    const issue = (id: string, scope: RevocationScope, by = "operator"): unknown =>
      fixture.ports.orders?.issue({
        id,
        scope,
        by,
        reason: "a test",
        issuedAtMs: 0,
        expiresAtMs: undefined,
        restored: undefined,
      });
    await issue("q1", { deployment: first?.deployment ?? "" }, "gateway");
    await issue("r1", { region: second?.deployment.split("/")[0] ?? "" });
    const candidates = await candidatesOf(fixture);
    const of = (deployment: string | undefined): Candidate | undefined =>
      candidates.find((candidate) => candidate.deployment === deployment);
    const cutOff = { admitted: true, chanceBasisPoints: 0 };
    expect(of(first?.deployment)).toMatchObject({ ...cutOff, cutOffBy: [{ order: "q1", quarantine: true }] });
    expect(of(second?.deployment)).toMatchObject({ ...cutOff, cutOffBy: [{ order: "r1", quarantine: false }] });
    expect((await fixture.call("GET", path)).json).toMatchObject({ served: "gpt-4.1" });
    await issue("r2", { model: "gpt-4.1", tenant: "acme" });
    expect((await fixture.call("GET", path)).json).toMatchObject({ served: null, refusal: { kind: "revoked" } });
  });

  it("counts what a key reaches, and the orders against it, where the key is named", async () => {
    const fixture = await withTenant("SG");
    const issued = await fixture.call("POST", "/tenants/acme/keys", { name: "one", models: ["gpt-4o"] });
    const { id } = JSON.parse(issued.text) as { id: string };
    const path = "/tenants/acme/explain?model=gpt-4.1";
    expect((await fixture.call("GET", path)).json).toMatchObject({ served: "gpt-4.1", key: null });
    expect((await fixture.call("GET", `${path}&key=${id}`)).json).toMatchObject({ served: null, key: id });
    expect((await fixture.call("GET", `${path}&key=none`)).status).toBe(404);
    const order = { id: "k1", scope: { key: id }, by: "operator", reason: "a test", issuedAtMs: 0 };
    await fixture.ports.orders?.issue({ ...order, expiresAtMs: undefined, restored: undefined });
    const reached = "/tenants/acme/explain?model=gpt-4o";
    expect((await fixture.call("GET", reached)).json).toMatchObject({ served: "gpt-4o" });
    expect((await fixture.call("GET", `${reached}&key=${id}`)).json).toMatchObject({ refusal: { kind: "revoked" } });
  });

  it("is asked for a tenant and a model that there are", async () => {
    const fixture = await withTenant("SG");
    expect((await fixture.call("GET", "/tenants/nobody/explain?model=gpt-4.1")).status).toBe(404);
    expect((await fixture.call("GET", "/tenants/acme/explain?model=gpt-99")).status).toBe(400);
    expect((await fixture.call("GET", "/tenants/acme/explain")).status).toBe(400);
  });
});
