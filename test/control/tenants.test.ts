import { describe, expect, test } from "vitest";
import { control } from "./control-fixture.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";

const acme = {
  id: "acme",
  name: "Acme Ltd",
  facts: {
    registeredCountry: "SG",
    headquartersCountry: "SG",
    ultimateParentCountry: "JP",
    endUse: "support",
    audience: "internal",
  },
  tiers: ["standard", "frontier"],
  denyCountries: ["US"],
};

describe("adding a tenant", () => {
  test("shows it as it was given, applied, with default limits and one audit entry", async () => {
    const { call, directory } = control();
    const added = await call("POST", "/tenants", acme);
    expect(added.status).toBe(201);
    expect(added.headers.get("location")).toBe("/control/v1/tenants/acme");
    expect(added.headers.get("etag")).toBe('"1"');
    expect(added.json).toEqual({
      ...acme,
      revision: 1,
      legalHold: null,
      createdAt: "2026-11-23T12:00:00.000Z",
      verification: {
        state: "applied",
        since: "2026-11-23T12:00:00.000Z",
        evidence: null,
        expiresAt: null,
        by: null,
        reason: null,
      },
      identifiers: [],
      factsEvidence: {
        registeredCountry: null,
        headquartersCountry: null,
        ultimateParentCountry: null,
        endUse: null,
        audience: null,
      },
      ownership: null,
      allowCountries: null,
      leastEvidence: null,
      timeZone: "UTC",
      holds: "worst_case",
      oidc: null,
    });
    expect(JSON.stringify(directory.audits)).not.toContain(directory.find("acme")?.tenant.endUserSecret);
    expect((await call("GET", "/tenants/acme")).json).toEqual(added.json);
    const limits = (await call("GET", "/tenants/acme/limits")).json["limits"] as unknown as { unit: string; window: string }[];
    expect(limits.map((limit) => `${limit.unit}/${limit.window}`)).toEqual([
      "requests/minute",
      "tokens/minute",
      "concurrent/open",
      "tokens/day",
    ]);
    expect(directory.audits).toMatchObject([
      { actor: "operator", action: "tenant.add", tenantId: "acme", at: "2026-11-23T12:00:00.000Z" },
    ]);
  });

  test("makes up an id where none is given, and leaves unknown facts unknown", async () => {
    const { call, directory } = control();
    const added = await call("POST", "/tenants", { name: "Nameless" });
    expect(added.status).toBe(201);
    expect(added.json["id"]).toMatch(/^[a-z0-9_]{3,40}$/);
    expect(directory.find(added.json["id"])?.tenant.facts.ultimateParentCountry).toBeUndefined();
  });

  test("refuses an id that is taken and leaves the first as it was", async () => {
    const { call } = control();
    await call("POST", "/tenants", acme);
    const again = await call("POST", "/tenants", { ...acme, name: "Other" });
    expect(again.status).toBe(409);
    expect(again.json["type"]).toBe("urn:strait:problem:tenant-exists");
    expect((await call("GET", "/tenants/acme")).json["name"]).toBe("Acme Ltd");
  });

  test("reports all unknown names at once, with those that are near", async () => {
    const { call, directory } = control();
    const answer = await call("POST", "/tenants", {
      ...acme,
      facts: { registeredCountry: "Singapore", headquartersCountry: "UK", ultimateParentCountry: "cn" },
      tiers: ["fronteer"],
      allowCountries: ["JP", "XX"],
      denyCountries: ["EU"],
      limits: [{ name: "a", unit: "tokens", window: "minute", ceiling: 1, model: "gpt5" }],
    });
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const problems = new Map(
      (answer.json["problems"] as unknown as { pointer: string; detail: string }[]).map((each) => [each.pointer, each.detail]),
    );
    expect([...problems.keys()].sort()).toEqual([
      "/allowCountries/1",
      "/denyCountries/0",
      "/facts/headquartersCountry",
      "/facts/registeredCountry",
      "/facts/ultimateParentCountry",
      "/limits/0/model",
      "/tiers/0",
    ]);
    expect(problems.get("/facts/registeredCountry")).toContain("`SG` (Singapore)");
    expect(problems.get("/facts/headquartersCountry")).toContain("`GB`");
    expect(problems.get("/facts/ultimateParentCountry")).toContain("`CN`");
    expect(problems.get("/tiers/0")).toContain("`frontier`");
    expect(problems.get("/limits/0/model")).toContain("`gpt-5`");
    expect(directory.saves).toBe(0);
  });

  test.each<[string, unknown, string]>([
    ["a misspelt field", { ...acme, allowCountry: ["SG"] }, "/allowCountry"],
    ["a misspelt fact", { ...acme, facts: { "parent/country": "SG" } }, "/facts/parent~1country"],
    ["a missing name", { id: "acme" }, "/name"],
    ["a bad id", { ...acme, id: "Ac-me" }, "/id"],
    ["a grade that is none", { ...acme, leastEvidence: "sworn" }, "/leastEvidence"],
    ["a body that is no object", [], ""],
  ])("refuses %s with a pointer to it", async (_, body, pointer) => {
    const { call } = control();
    const answer = await call("POST", "/tenants", body);
    expect(answer.status).toBe(400);
    expect(answer.json["problems"]).toMatchObject([{ pointer }]);
  });

  test("refuses an empty list of allowed countries, which would read like any", async () => {
    const answer = await control().call("POST", "/tenants", { ...acme, allowCountries: [] });
    expect(answer.status).toBe(422);
    expect(answer.json["problems"]).toMatchObject([{ pointer: "/allowCountries" }]);
  });

  test("refuses a key set that holds private or symmetric keys, and never repeats them", async () => {
    const { call } = control();
    const oidc = (key: object): object => ({
      ...acme,
      oidc: { issuer: "https://id.example", audience: "strait", jwks: { keys: [key] } },
    });
    for (const [key, member] of [
      [{ kty: "RSA", n: "n", e: "AQAB", d: "planted-secret" }, "d"],
      [{ kty: "oct", k: "planted-secret" }, "k"],
    ] as const) {
      const answer = await call("POST", "/tenants", oidc(key));
      expect(answer.status).toBe(400);
      expect(answer.json["problems"]).toMatchObject([{ pointer: `/oidc/jwks/keys/0/${member}` }]);
      expect(answer.text).not.toContain("planted-secret");
    }
    expect(
      (
        await call("POST", "/tenants", {
          ...acme,
          oidc: { issuer: "http://id.example", audience: "a", jwks: { keys: [{ kty: "EC" }] } },
        })
      ).status,
    ).toBe(400);
    const good = await call("POST", "/tenants", oidc({ kty: "EC", kid: "one", crv: "P-256", x: "x", y: "y" }));
    expect(good.status).toBe(201);
    expect(good.json["oidc"]).toMatchObject({ issuer: "https://id.example", claims: {}, jwks: { keys: [{ kid: "one" }] } });
  });
});

describe("listing tenants", () => {
  test("pages through all of them once, in order", async () => {
    const { call } = control();
    const ids = ["delta", "alpha", "echo", "bravo", "charlie"];
    for (const id of ids) await call("POST", "/tenants", { id, name: id });
    const seen: string[] = [];
    let query = "?count=2";
    let pages = 0;
    for (;;) {
      const page = (await call("GET", `/tenants${query}`)).json;
      seen.push(...(page["tenants"] as unknown as { id: string }[]).map((tenant) => tenant.id));
      pages += 1;
      if (page["nextCursor"] === null) break;
      query = `?count=2&cursor=${String(page["nextCursor"])}`;
    }
    expect(seen).toEqual([...ids].sort());
    expect(pages).toBe(3);
  });

  test("does not offer a next page where the last one is exactly full", async () => {
    const { call } = control();
    for (const id of ["one", "two"]) await call("POST", "/tenants", { id, name: id });
    expect((await call("GET", "/tenants?count=2")).json["nextCursor"]).toBeNull();
  });

  test.each(["0", "501", "-1", "1.5", "many", ""])("refuses a count of %j", async (count) => {
    const answer = await control().call("GET", `/tenants?count=${count}`);
    expect(answer.status).toBe(400);
    expect(answer.json["problems"]).toMatchObject([{ parameter: "count" }]);
  });
});

describe("changing a tenant", () => {
  test("keeps what is absent, clears what is null, and says in the audit what changed", async () => {
    const { call, directory } = control();
    await call("POST", "/tenants", { ...acme, leastEvidence: "attested", allowCountries: ["SG", "JP"] });
    const changed = await call("PATCH", "/tenants/acme", {
      facts: { ultimateParentCountry: null },
      leastEvidence: null,
      allowCountries: ["SE", "JP", "SE"],
      reason: "asked for it",
    });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(changed.json).toMatchObject({
      name: "Acme Ltd",
      facts: { registeredCountry: "SG", ultimateParentCountry: null },
      leastEvidence: null,
      allowCountries: ["JP", "SE"],
      tiers: ["standard", "frontier"],
      revision: 2,
    });
    expect(directory.audits[0]).toMatchObject({ action: "tenant.change" });
    expect(directory.audits[0]?.detail).toEqual({
      ultimateParentCountry: { from: "JP", to: null },
      leastEvidence: { from: "attested", to: null },
      allowCountries: { from: ["JP", "SG"], to: ["JP", "SE"] },
      by: null,
      reason: "asked for it",
    });
  });

  test("takes a merge patch by its own content type", async () => {
    const { call } = control();
    await call("POST", "/tenants", acme);
    const changed = await call("PATCH", "/tenants/acme", { name: "New" }, { "content-type": "application/merge-patch+json" });
    expect(changed.json["name"]).toBe("New");
  });

  test("writes nothing where nothing changes", async () => {
    const { call, directory } = control();
    await call("POST", "/tenants", acme);
    const same = await call("PATCH", "/tenants/acme", { name: "Acme Ltd", facts: { registeredCountry: "SG" } });
    expect(same.headers.get("etag")).toBe('"1"');
    expect(directory.audits).toHaveLength(1);
  });

  test("cannot reach verification, keys or the id", async () => {
    const { call, directory } = control();
    await call("POST", "/tenants", acme);
    for (const body of [{ verification: { state: "verified" } }, { keys: [] }, { id: "other" }, { revision: 9 }]) {
      expect((await call("PATCH", "/tenants/acme", body)).status).toBe(400);
    }
    expect(directory.find("acme")?.revision).toBe(1);
  });

  test.each([
    "/tenants/nobody",
    "/tenants/NOT%20AN%20ID",
    "/tenants/nobody/keys",
    "/tenants/nobody/limits",
    "/tenants/nobody/audit",
  ])("%s is not found", async (path) => {
    const answer = await control().call("GET", path);
    expect(answer.status).toBe(404);
    expect(answer.json["type"]).toBe("urn:strait:problem:tenant-not-found");
  });
});

describe("HTTP", () => {
  test.each([
    ["POST", "/tenants", "{", { "content-type": "application/json" }, 400, "malformed-json"],
    ["POST", "/tenants", "{}", { "content-type": "text/plain" }, 415, "unsupported-media-type"],
    ["POST", "/tenants", `{"name":"${"x".repeat(300_000)}"}`, { "content-type": "application/json" }, 413, "body-too-large"],
    ["GET", "/nowhere", undefined, {}, 404, "route-not-found"],
  ])("%s %s with what it cannot take gets its own problem: %#", async (method, path, body, headers, status, type) => {
    const answer = await control().call(method, path, body, headers);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ type: `urn:strait:problem:${type}`, status });
  });

  test("a method that a path does not serve is told which ones it does", async () => {
    const answer = await control().call("DELETE", "/tenants/acme");
    expect(answer.status).toBe(405);
    expect(answer.json["type"]).toBe("urn:strait:problem:method-not-allowed");
    expect(answer.headers.get("allow")?.split(", ").sort()).toEqual(["GET", "PATCH"]);
  });

  test("a body over the limit is refused while it is read, where no length was declared", async () => {
    const { app } = control();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
        if (sent > 1_000) controller.close();
      },
    });
    const headers = { authorization: "Bearer operator-key-for-tests", "content-type": "application/json" };
    const request = new Request("http://strait.test/control/v1/tenants", { method: "POST", headers, body, duplex: "half" });
    expect((await app.fetch(request)).status).toBe(413);
    expect(sent).toBeLessThan(20);
  });

  test("no answer may be kept by a cache", async () => {
    const { call } = control();
    for (const path of ["/tenants", "/nowhere", "/openapi.json"]) {
      expect((await call("GET", path)).headers.get("cache-control")).toBe("no-store");
    }
  });

  test("a store that is away is a 503, any other failure a 500 whose reason only the log knows", async () => {
    const { call, directory, logged } = control();
    directory.list = async () => Promise.reject(new StoreUnavailable("host db-7 refused"));
    const away = await call("GET", "/tenants");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "5"]);
    directory.list = async () => Promise.reject(new Error("internal detail"));
    const failed = await call("GET", "/tenants");
    expect(failed.status).toBe(500);
    expect(away.text + failed.text).not.toMatch(/db-7|internal detail/);
    expect(logged.map((line) => line.level)).toEqual(["warn", "error"]);
    expect(JSON.stringify(logged)).toContain("internal detail");
  });
});
