import { describe, expect, test } from "vitest";
import { control, decided } from "./control-fixture.ts";
import type { Fixture } from "./control-fixture.ts";

const evidence = { reference: "register-1", asOf: "2026-11-01T00:00:00Z" };

async function acme(): Promise<Fixture> {
  const fixture = control();
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme", facts: { registeredCountry: "SG" }, evidence });
  return fixture;
}

describe("the evidence of facts", () => {
  test("is kept with the facts that were given with it", async () => {
    const { call } = await acme();
    const { factsEvidence } = (await call("GET", "/tenants/acme")).json as unknown as Record<string, object>;
    expect(factsEvidence).toMatchObject({ registeredCountry: { ...evidence, contradictions: [] }, endUse: null });
  });

  test("stays where the same is said again, and is gone where a fact is changed without any", async () => {
    const { call } = await acme();
    const again = await call("PATCH", "/tenants/acme", { facts: { registeredCountry: "SG", endUse: "support" } });
    expect(again.json["factsEvidence"]).toMatchObject({ registeredCountry: evidence, endUse: null });
    const changed = await call("PATCH", "/tenants/acme", { facts: { registeredCountry: "JP" } });
    expect(changed.json["factsEvidence"]).toMatchObject({ registeredCountry: null });
  });

  test("is not from the future", async () => {
    const { call } = await acme();
    const later = { reference: "x", asOf: "2026-11-24T00:00:00Z" };
    for (const answer of [
      await call("PATCH", "/tenants/acme", { facts: { endUse: "x" }, evidence: later }),
      await call("POST", "/tenants/acme/facts", { fact: "endUse", value: "x", evidence: later }),
    ])
      expect([answer.status, answer.json["problems"]]).toMatchObject([422, [{ pointer: "/evidence/asOf" }]]);
  });

  test("has a date with its offset, and whoever writes another is shown one", async () => {
    const { call } = await acme();
    const told = await call("PATCH", "/tenants/acme", {
      facts: { endUse: "x" },
      evidence: { reference: "x", asOf: "2026-11-01" },
    });
    expect([told.status, told.json["problems"]]).toMatchObject([
      400,
      [{ detail: expect.stringContaining("2026-12-01T00:00:00Z") }],
    ]);
  });
});

describe("what a document says of a fact", () => {
  const says = (fixture: Fixture, fact: string, value: string, asOf = "2026-11-20T00:00:00Z") =>
    fixture.call("POST", "/tenants/acme/facts", {
      fact,
      value,
      evidence: { reference: "letter-2", asOf },
      reason: "annual check",
    });

  test("makes an unknown fact known, and shows a known one anew by the later document", async () => {
    const fixture = await acme();
    const known = await says(fixture, "headquartersCountry", "SG");
    expect(known.json["facts"]).toMatchObject({ headquartersCountry: "SG" });
    const renewed = await says(fixture, "registeredCountry", "SG");
    expect(renewed.json["factsEvidence"]).toMatchObject({ registeredCountry: { reference: "letter-2" } });
    const older = await says(fixture, "registeredCountry", "SG", "2026-10-01T00:00:00Z");
    expect(older.json["factsEvidence"]).toMatchObject({ registeredCountry: { asOf: "2026-11-20T00:00:00Z" } });
    expect(fixture.directory.audits[0]).toMatchObject({
      action: "tenant.fact",
      detail: { fact: "registeredCountry", value: "SG", evidence: "letter-2", reason: "annual check" },
    });
  });

  test("contradicts a known fact, until a change settles it on evidence", async () => {
    const fixture = await acme();
    const torn = await says(fixture, "registeredCountry", "CN");
    expect(torn.json).toMatchObject({
      facts: { registeredCountry: "SG" },
      factsEvidence: {
        registeredCountry: {
          ...evidence,
          contradictions: [{ value: "CN", reference: "letter-2", asOf: "2026-11-20T00:00:00Z" }],
        },
      },
    });
    const still = await says(fixture, "registeredCountry", "SG");
    expect(still.json["factsEvidence"]).toMatchObject({ registeredCountry: { contradictions: [{ value: "CN" }] } });
    const note = { reason: "the letter is of another company", by: "desk 2" };
    const settled = await fixture.call("PATCH", "/tenants/acme", { facts: { registeredCountry: "SG" }, evidence, ...note });
    expect(settled.json["factsEvidence"]).toMatchObject({ registeredCountry: { contradictions: [] } });
    expect(fixture.directory.audits[0]).toMatchObject({ action: "tenant.change", detail: note });
  });

  test("settles nothing by being left out: what is contradicted becomes another value on evidence alone, or unknown", async () => {
    const fixture = await acme();
    await says(fixture, "registeredCountry", "CN");
    for (const registeredCountry of ["SG", "CN", "JP"]) {
      const told = await fixture.call("PATCH", "/tenants/acme", { facts: { registeredCountry } });
      expect([told.status, told.json["problems"]]).toMatchObject([422, [{ pointer: "/facts/registeredCountry" }]]);
    }
    const unknown = await fixture.call("PATCH", "/tenants/acme", { facts: { registeredCountry: null } });
    expect(unknown.json["facts"]).toMatchObject({ registeredCountry: null });
  });

  test("must be a value that the fact can have", async () => {
    const fixture = await acme();
    for (const [fact, value] of [
      ["registeredCountry", "Singapore"],
      ["audience", "everybody"],
    ] as const)
      expect((await says(fixture, fact, value)).json["problems"]).toMatchObject([{ pointer: "/value" }]);
    expect((await says(fixture, "shoeSize", "44")).status).toBe(400);
  });
});

describe("who owns a tenant", () => {
  const parent = { id: "parent", name: "Parent Ltd", kind: "company", country: "JP", identifiers: ["LEI:1"] };
  const holding = { owner: "parent", of: "tenant", basisPoints: 6_000, evidence: "register-1", asOf: "2026-11-01T00:00:00Z" };

  test("is unresolved until somebody says it, and is replaced as a whole", async () => {
    const { call, directory } = await acme();
    expect((await call("GET", "/tenants/acme")).json["ownership"]).toBeNull();
    const ownership = { owners: [parent], holdings: [holding] };
    const put = await call("PUT", "/tenants/acme/ownership", { ownership, reason: "first check", by: "desk 2" });
    expect([put.status, put.json["ownership"]]).toEqual([200, ownership]);
    expect(directory.audits[0]).toMatchObject({
      action: "tenant.ownership",
      detail: { evidence: ["register-1"], reason: "first check", by: "desk 2" },
    });
    const unsure = {
      owners: [{ id: "p", name: "P", kind: "person" }],
      holdings: [{ ...holding, owner: "p", basisPoints: null }],
    };
    const next = await call("PUT", "/tenants/acme/ownership", { ownership: unsure });
    expect(next.json["ownership"]).toMatchObject({
      owners: [{ country: null, identifiers: [] }],
      holdings: [{ basisPoints: null }],
    });
    expect((await call("PUT", "/tenants/acme/ownership", { ownership: null })).json["ownership"]).toBeNull();
  });

  test("names only owners that are there, and holds in companies alone", async () => {
    const { call } = await acme();
    const owners = [parent, parent, { ...parent, id: "tenant" }, { id: "person", name: "P", kind: "person", country: "XX" }];
    const holdings = [
      { ...holding, owner: "nobody" },
      { ...holding, of: "person" },
      { ...holding, of: "parent" },
      { ...holding, asOf: "2027-01-01T00:00:00Z" },
    ];
    const answer = await call("PUT", "/tenants/acme/ownership", { ownership: { owners, holdings } });
    const problems = answer.json["problems"] as unknown as { pointer: string }[];
    expect(problems.map(({ pointer }) => pointer)).toEqual([
      "/ownership/owners/1/id",
      "/ownership/owners/2/id",
      "/ownership/owners/3/country",
      "/ownership/holdings/0/owner",
      "/ownership/holdings/1/of",
      "/ownership/holdings/2/of",
      "/ownership/holdings/3/asOf",
    ]);
  });

  test("is not changed once the tenant is closed", async () => {
    const { call } = await acme();
    await call("POST", "/tenants/acme/verification", { ...decided, state: "closed" });
    for (const answer of [
      await call("PUT", "/tenants/acme/ownership", { ownership: null }),
      await call("POST", "/tenants/acme/facts", { fact: "endUse", value: "x", evidence }),
    ])
      expect(answer.json["type"]).toBe("urn:strait:problem:tenant-closed");
  });
});
