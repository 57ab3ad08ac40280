import { describe, expect, test } from "vitest";
import type { VerificationState } from "../../src/tenant/tenant.ts";
import { control } from "./control-fixture.ts";
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
  if (state !== "applied")
    await fixture.call("POST", "/tenants/acme/verification", { state, evidence: "doc-1", reason: "as told" });
  return fixture;
}

describe("verification", () => {
  const pairs = states.flatMap((from) => states.filter((to) => to !== from).map((to): [string, string] => [from, to]));

  test.each(pairs)("from %s to %s goes as the table of transitions says", async (from, to) => {
    const { call } = await tenantIn(from as VerificationState);
    const answer = await call("POST", "/tenants/acme/verification", { state: to, evidence: "doc-2", reason: "as told" });
    const after = (await call("GET", "/tenants/acme")).json["verification"]["state"];
    const told: unknown = answer.json["type"];
    const expected = legal.has(`${from}>${to}`) ? [200, to, undefined] : [409, from, "urn:strait:problem:illegal-transition"];
    expect([answer.status, after, told]).toEqual(expected);
  });

  test("needs evidence to say verified, and what verified a tenant once does not verify it again", async () => {
    const { call } = await tenantIn("applied");
    const without = await call("POST", "/tenants/acme/verification", { state: "verified" });
    expect(without.status).toBe(422);
    expect(without.json["problems"]).toMatchObject([{ pointer: "/evidence" }]);
    expect((await call("POST", "/tenants/acme/verification", { state: "verified", evidence: "  " })).status).toBe(400);
    await call("POST", "/tenants/acme/verification", { state: "verified", evidence: "register-extract-7" });
    await call("POST", "/tenants/acme/verification", { state: "suspended", reason: "abuse report" });
    expect((await call("POST", "/tenants/acme/verification", { state: "verified" })).status).toBe(422);
  });

  test("records when, on what evidence and why, in the tenant and in the audit", async () => {
    const { call, clock, directory } = await tenantIn("verified");
    clock.ms += 60_000;
    const answer = await call("POST", "/tenants/acme/verification", {
      state: "suspended",
      reason: "abuse report",
      by: "compliance desk",
    });
    expect(answer.json["verification"]).toEqual({
      state: "suspended",
      since: "2026-11-23T12:01:00.000Z",
      evidence: "doc-1",
      expiresAt: null,
      by: "compliance desk",
      reason: "abuse report",
    });
    expect(directory.audits[0]).toMatchObject({
      action: "tenant.verification",
      at: "2026-11-23T12:01:00.000Z",
      detail: { from: "verified", to: "suspended", evidence: "doc-1", reason: "abuse report", by: "compliance desk" },
    });
  });

  test("wants to know why a tenant is suspended or closed", async () => {
    for (const state of ["suspended", "closed"]) {
      const { call } = await tenantIn("verified");
      const answer = await call("POST", "/tenants/acme/verification", { state });
      expect([answer.status, answer.json["problems"]]).toMatchObject([422, [{ pointer: "/reason" }]]);
    }
  });

  test("may expire, in the future alone, and is renewed by a later date", async () => {
    const { call } = await tenantIn("applied");
    const verify = (expiresAt: string) =>
      call("POST", "/tenants/acme/verification", { state: "verified", evidence: "doc-1", expiresAt });
    expect((await verify("2026-11-23T12:00:00Z")).json["problems"]).toMatchObject([{ pointer: "/expiresAt" }]);
    expect((await verify("2027-11-23T12:00:00Z")).json["verification"]).toMatchObject({ expiresAt: "2027-11-23T12:00:00Z" });
    expect((await verify("2028-11-23T12:00:00Z")).json["revision"]).toBe(3);
    expect((await verify("2028-11-23T12:00:00Z")).json["revision"]).toBe(3);
  });

  test("said twice changes nothing the second time, so that a script may suspend twice", async () => {
    const { call, directory } = await tenantIn("suspended");
    const audits = directory.audits.length;
    const again = await call("POST", "/tenants/acme/verification", { state: "suspended" });
    expect([again.status, directory.audits.length]).toEqual([200, audits]);
  });

  test("renewed with newer evidence is a change", async () => {
    const { call, clock } = await tenantIn("verified");
    clock.ms += 1_000;
    const renewed = await call("POST", "/tenants/acme/verification", { state: "verified", evidence: "doc-2" });
    expect(renewed.json["verification"]).toMatchObject({
      state: "verified",
      since: "2026-11-23T12:00:01.000Z",
      evidence: "doc-2",
    });
  });

  test("closed is the end: nothing can be changed or issued, but keys can be revoked", async () => {
    const { call } = await tenantIn("verified");
    const keyId = (await call("POST", "/tenants/acme/keys", { name: "app" })).json["id"];
    await call("POST", "/tenants/acme/verification", { state: "closed", reason: "contract ended" });
    const refused = [
      await call("PATCH", "/tenants/acme", { name: "New" }),
      await call("POST", "/tenants/acme/keys", { name: "app" }),
      await call("PUT", "/tenants/acme/limits", { limits: [] }),
      await call("POST", "/tenants/acme/verification", { state: "closed", evidence: "other" }),
    ];
    expect(refused.map((answer) => answer.json["type"])).toEqual(refused.map(() => "urn:strait:problem:tenant-closed"));
    expect((await call("DELETE", `/tenants/acme/keys/${String(keyId)}`)).status).toBe(200);
  });
});
