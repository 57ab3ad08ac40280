import { describe, expect, test } from "vitest";
import type { VerificationState } from "../../src/tenant/tenant.ts";
import { control, decided } from "./control-fixture.ts";
import type { Fixture } from "./control-fixture.ts";

const states: readonly VerificationState[] = ["applied", "under_review", "verified", "suspended", "closed"];

const legal: ReadonlySet<string> = new Set([
  "applied>under_review",
  "applied>verified",
  "applied>suspended",
  "applied>closed",
  "under_review>applied",
  "under_review>verified",
  "under_review>suspended",
  "under_review>closed",
  "verified>under_review",
  "verified>suspended",
  "verified>closed",
  "suspended>under_review",
  "suspended>verified",
  "suspended>closed",
]);

async function tenantIn(state: VerificationState): Promise<Fixture> {
  const fixture = control();
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme" });
  if (state !== "applied") await fixture.call("POST", "/tenants/acme/verification", { ...decided, state });
  return fixture;
}

describe("verification", () => {
  const pairs = states.flatMap((from) => states.filter((to) => to !== from).map((to): [string, string] => [from, to]));

  test.each(pairs)("from %s to %s goes as the table of transitions says", async (from, to) => {
    const { call } = await tenantIn(from as VerificationState);
    const answer = await call("POST", "/tenants/acme/verification", { ...decided, state: to, evidence: "doc-2" });
    const after = (await call("GET", "/tenants/acme")).json["verification"]["state"];
    const told: unknown = answer.json["type"];
    const expected = legal.has(`${from}>${to}`) ? [200, to, undefined] : [409, from, "urn:strait:problem:illegal-transition"];
    expect([answer.status, after, told]).toEqual(expected);
  });

  test.each(states)("to %s needs who decided it, why, and on what evidence, and says how to give each", async (state) => {
    const { call, directory } = await tenantIn("under_review");
    const audits = directory.audits.length;
    const answer = await call("POST", "/tenants/acme/verification", { state });
    const told = answer.json["problems"] as unknown as { pointer: string; detail: string }[];
    expect([answer.status, told.map(({ pointer }) => pointer)]).toEqual([400, ["/evidence", "/reason", "/by"]]);
    for (const { pointer, detail } of told) expect(detail).toContain(pointer.replace("/", "--"));
    for (const member of ["evidence", "reason", "by"]) {
      const blank = await call("POST", "/tenants/acme/verification", { ...decided, state, [member]: "  " });
      expect([blank.status, blank.json["problems"]]).toMatchObject([
        400,
        [{ pointer: `/${member}`, detail: expect.stringContaining("--") }],
      ]);
    }
    expect(directory.audits).toHaveLength(audits);
  });

  test("records who decided each step, when, why and on what evidence, in the tenant and in its audit", async () => {
    const fixture = await tenantIn("applied");
    const { call, clock } = fixture;
    let from = "applied";
    for (const state of ["under_review", "verified", "suspended", "under_review", "applied", "closed"]) {
      clock.ms += 60_000;
      const at = new Date(clock.ms).toISOString();
      const step = { evidence: `document of ${state}`, reason: `${state} it is`, by: `desk of ${state}` };
      const answer = await call("POST", "/tenants/acme/verification", { state, ...step });
      expect(answer.json["verification"]).toEqual({ state, since: at, expiresAt: null, ...step });
      const [newest] = (await call("GET", "/tenants/acme/audit")).json["audit"] as unknown as object[];
      const detail = { from, to: state, expiresAt: null, ...step };
      expect(newest).toMatchObject({ actor: "operator", action: "tenant.verification", at, detail });
      from = state;
    }
  });

  test("begins with who applied for it and on what evidence, where that is said", async () => {
    const { call } = control();
    const evidence = { reference: "form-1", asOf: "2026-11-01T00:00:00Z" };
    const added = await call("POST", "/tenants", { name: "Acme", evidence, by: "sales", reason: "contract 7" });
    expect(added.json["verification"]).toMatchObject({ evidence: "form-1", by: "sales", reason: "contract 7" });
  });

  test("may expire, in the future alone, and is renewed by a later date", async () => {
    const { call } = await tenantIn("applied");
    const verify = (expiresAt: string) =>
      call("POST", "/tenants/acme/verification", { ...decided, state: "verified", expiresAt });
    expect((await verify("2026-11-23T12:00:00Z")).json["problems"]).toMatchObject([{ pointer: "/expiresAt" }]);
    expect((await verify("2027-11-23T12:00:00Z")).json["verification"]).toMatchObject({ expiresAt: "2027-11-23T12:00:00Z" });
    expect((await verify("2028-11-23T12:00:00Z")).json["revision"]).toBe(3);
    expect((await verify("2028-11-23T12:00:00Z")).json["revision"]).toBe(3);
  });

  test.each(["suspended", "verified"] as const)(
    "said twice changes nothing the second time, so that a script may say %s twice",
    async (state) => {
      const { call, directory } = await tenantIn(state);
      const audits = directory.audits.length;
      const again = await call("POST", "/tenants/acme/verification", { ...decided, state });
      expect([again.status, directory.audits.length]).toEqual([200, audits]);
    },
  );

  test.each([{ evidence: "doc-2" }, { reason: "annual check" }, { by: "auditor" }])(
    "to verified again with %j is a step, and ends no later than before unless the evidence is another",
    async (changed) => {
      const { call, clock, directory } = await tenantIn("applied");
      const verify = (more: object) => call("POST", "/tenants/acme/verification", { ...decided, state: "verified", ...more });
      const expiresAt = "2027-11-23T12:00:00Z";
      await verify({ expiresAt });
      clock.ms += 1_000;
      const renewed = await verify(changed);
      expect(renewed.json["verification"]).toEqual({
        state: "verified",
        since: "2026-11-23T12:00:01.000Z",
        ...decided,
        ...changed,
        expiresAt: "evidence" in changed ? null : expiresAt,
      });
      expect(directory.audits[0]).toMatchObject({ detail: { from: "verified", to: "verified", ...decided, ...changed } });
    },
  );

  test("closed is the end: nothing can be changed or issued, but keys can be revoked", async () => {
    const { call } = await tenantIn("verified");
    const keyId = (await call("POST", "/tenants/acme/keys", { name: "app" })).json["id"];
    await call("POST", "/tenants/acme/verification", { ...decided, state: "closed" });
    const refused = [
      await call("PATCH", "/tenants/acme", { name: "New" }),
      await call("POST", "/tenants/acme/keys", { name: "app" }),
      await call("PUT", "/tenants/acme/limits", { limits: [] }),
      await call("POST", "/tenants/acme/verification", { ...decided, state: "closed", evidence: "other" }),
    ];
    expect(refused.map((answer) => answer.json["type"])).toEqual(refused.map(() => "urn:strait:problem:tenant-closed"));
    expect((await call("DELETE", `/tenants/acme/keys/${String(keyId)}`)).status).toBe(200);
  });
});
