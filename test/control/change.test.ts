import { describe, expect, test } from "vitest";
import { issueKey } from "../../src/control/keys.ts";
import { addTenant } from "../../src/control/tenants.ts";
import { changeVerification } from "../../src/control/verification.ts";
import { control, decided } from "./control-fixture.ts";
import type { Fixture } from "./control-fixture.ts";

async function withTenant(): Promise<Fixture> {
  const fixture = control();
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme" });
  return fixture;
}

describe("a change", () => {
  test("that somebody else overtook is decided anew on what they wrote, and both stand", async () => {
    const { ports, directory } = await withTenant();
    directory.beforeSave = async () => {
      directory.beforeSave = () => undefined;
      await changeVerification(ports, "acme", { actor: "other" }, { ...decided, state: "suspended" });
    };
    const issued = await issueKey(ports, "acme", { actor: "first" }, { name: "app" });
    expect(issued.ok).toBe(true);
    const entry = directory.find("acme");
    expect(entry).toMatchObject({ revision: 3, tenant: { verification: { state: "suspended" } }, keys: [{ name: "app" }] });
    expect(directory.audits.map(({ actor, action }) => [actor, action])).toEqual([
      ["first", "key.issue"],
      ["other", "tenant.verification"],
      ["operator", "tenant.add"],
    ]);
  });

  test("that was overtaken by a closing is refused, not forced through", async () => {
    const { ports, directory } = await withTenant();
    directory.beforeSave = async () => {
      directory.beforeSave = () => undefined;
      await changeVerification(ports, "acme", { actor: "other" }, { ...decided, state: "closed" });
    };
    expect(await issueKey(ports, "acme", { actor: "first" }, { name: "app" })).toEqual({
      ok: false,
      refusal: { kind: "tenant_closed", tenantId: "acme" },
    });
    expect(directory.find("acme")?.keys).toEqual([]);
  });

  test("gives up after a few tries where others never rest, and leaves no audit entry", async () => {
    const { call, directory } = await withTenant();
    directory.beforeSave = () => directory.overtake("acme");
    const before = directory.saves;
    const answer = await call("PATCH", "/tenants/acme", { name: "New" });
    expect([answer.status, answer.json["type"]]).toEqual([409, "urn:strait:problem:contended"]);
    expect(directory.saves - before).toBe(5);
    expect(directory.audits).toHaveLength(1);
  });

  test("of two that add one tenant at once, one wins and the other is told", async () => {
    const { ports, directory } = control();
    const both = await Promise.all(["one", "two"].map((name) => addTenant(ports, { actor: "demo" }, { id: "acme", name })));
    expect(both.filter((outcome) => outcome.ok)).toHaveLength(1);
    expect(directory.audits).toMatchObject([{ actor: "demo", action: "tenant.add" }]);
  });
});

describe("If-Match", () => {
  const writes: [string, string, object | undefined][] = [
    ["PATCH", "/tenants/acme", { name: "New" }],
    ["POST", "/tenants/acme/verification", { ...decided, state: "under_review" }],
    ["POST", "/tenants/acme/keys", { name: "app" }],
    ["PUT", "/tenants/acme/limits", { limits: [] }],
    ["PUT", "/tenants/acme/ownership", { ownership: { owners: [], holdings: [] } }],
    ["POST", "/tenants/acme/facts", { fact: "endUse", value: "x", evidence: { reference: "d", asOf: "2026-01-01T00:00:00Z" } }],
  ];

  test.each(writes)("%s %s writes at the revision that was read, and not at an older one", async (method, path, body) => {
    const { call, directory } = await withTenant();
    await call("POST", "/tenants/acme/verification", { ...decided, state: "suspended" });
    const stale = await call(method, path, body, { "if-match": '"1"' });
    expect([stale.status, stale.json["type"]]).toEqual([412, "urn:strait:problem:revision-mismatch"]);
    expect(directory.find("acme")?.revision).toBe(2);
    const current = await call(method, path, body, { "if-match": '"2"' });
    expect([current.status < 300, current.headers.get("etag")]).toEqual([true, '"3"']);
  });

  test("holds against one who was faster in between, too", async () => {
    const { call, directory } = await withTenant();
    directory.beforeSave = () => {
      directory.beforeSave = () => undefined;
      directory.overtake("acme");
    };
    expect((await call("PATCH", "/tenants/acme", { name: "New" }, { "if-match": '"1"' })).status).toBe(412);
    expect(directory.find("acme")?.tenant.name).toBe("Acme");
  });

  test.each(['W/"1"', "1", '"abc"', '"1", "2"', ""])("refuses %j, which names no revision", async (tag) => {
    const { call, directory } = await withTenant();
    const answer = await call("PATCH", "/tenants/acme", { name: "New" }, { "if-match": tag });
    expect([answer.status, directory.find("acme")?.revision]).toEqual([400, 1]);
    expect(answer.json["problems"]).toMatchObject([{ parameter: "if-match" }]);
  });

  test("takes any revision where it is *", async () => {
    const { call } = await withTenant();
    expect((await call("PATCH", "/tenants/acme", { name: "New" }, { "if-match": "*" })).status).toBe(200);
  });
});

describe("the audit", () => {
  test("shows the newest first, of one tenant or of all, as many as asked for", async () => {
    const { call } = await withTenant();
    await call("POST", "/tenants", { id: "other", name: "Other" });
    await call("POST", "/tenants/acme/keys", { name: "app" });
    const actions = async (path: string): Promise<string[]> => {
      const entries = (await call("GET", path)).json["audit"] as unknown as { tenantId: string; action: string }[];
      return entries.map(({ tenantId, action }) => `${tenantId} ${action}`);
    };
    expect(await actions("/audit")).toEqual(["acme key.issue", "other tenant.add", "acme tenant.add"]);
    expect(await actions("/tenants/acme/audit")).toEqual(["acme key.issue", "acme tenant.add"]);
    expect(await actions("/audit?count=1")).toEqual(["acme key.issue"]);
  });
});
