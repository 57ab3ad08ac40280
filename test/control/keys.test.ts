import { describe, expect, test } from "vitest";
import { issueKey, liveKeysLimit } from "../../src/control/keys.ts";
import { parseKey } from "../../src/tenant/key.ts";
import { control, sha256 } from "./control-fixture.ts";
import type { Fixture } from "./control-fixture.ts";

async function withTenant(overrides: Parameters<typeof control>[0] = {}): Promise<Fixture> {
  const fixture = control(overrides);
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme" });
  return fixture;
}

describe("issuing a key", () => {
  test("gives the key once, stores only its digest, and shows neither ever again", async () => {
    const { call, directory } = await withTenant();
    const issued = await call("POST", "/tenants/acme/keys", { name: "app" });
    expect(issued.status).toBe(201);
    expect(issued.headers.get("cache-control")).toBe("no-store");
    const key: string = issued.json["key"];
    expect(parseKey(key)).toEqual({ tenantId: "acme", keyId: issued.json["id"] });
    const digest = Buffer.from(sha256(key)).toString("hex");
    expect(directory.find("acme")?.keys.map((each) => each.digest)).toEqual([digest]);
    expect(issued.text).not.toContain(digest);
    expect(JSON.stringify([...directory.entries.values(), directory.audits])).not.toContain(key);
    expect(JSON.stringify(directory.audits)).not.toContain(digest);

    const secret = key.slice(-43);
    const paths = [
      "/tenants",
      "/tenants/acme",
      "/tenants/acme/keys",
      "/tenants/acme/limits",
      "/tenants/acme/audit",
      "/audit",
      "/openapi.json",
    ];
    const revoked = await call("DELETE", `/tenants/acme/keys/${String(issued.json["id"])}`);
    for (const answer of [revoked, ...(await Promise.all(paths.map((path) => call("GET", path))))]) {
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain(secret);
      expect(answer.text).not.toContain(digest);
    }
  });

  test("keeps expiry in UTC and scopes by the models' own ids, and lists them", async () => {
    const { call, directory } = await withTenant();
    const body = {
      name: "app",
      expiresAt: "2027-01-01T08:00:00+08:00",
      models: ["gpt-5-latest", "gpt-5"],
      surfaces: ["embeddings"],
    };
    const issued = await call("POST", "/tenants/acme/keys", body);
    const { id } = issued.json;
    directory.touchKey("acme", String(id), Date.parse("2026-11-23T11:00:00Z"));
    expect((await call("GET", "/tenants/acme/keys")).json["keys"]).toEqual([
      {
        id,
        name: "app",
        state: "active",
        createdAt: "2026-11-23T12:00:00.000Z",
        expiresAt: "2027-01-01T00:00:00.000Z",
        revokedAt: null,
        lastUsedAt: "2026-11-23T11:00:00.000Z",
        models: ["gpt-5"],
        surfaces: ["embeddings"],
      },
    ]);
  });

  test.each<[string, object, number, string]>([
    ["a model that is not known", { name: "a", models: ["gpt-5", "gpt-6"] }, 422, "/models/1"],
    ["an empty scope of models", { name: "a", models: [] }, 422, "/models"],
    ["an empty scope of surfaces", { name: "a", surfaces: [] }, 422, "/surfaces"],
    ["a surface that is not known", { name: "a", surfaces: ["chat"] }, 400, "/surfaces/0"],
    ["an expiry in the past", { name: "a", expiresAt: "2026-11-23T12:00:00Z" }, 422, "/expiresAt"],
    ["an expiry that is no time", { name: "a", expiresAt: "tomorrow" }, 400, "/expiresAt"],
    ["no name", {}, 400, "/name"],
    ["a key of the caller's own", { name: "a", key: "sk-strait-acme-mine" }, 400, "/key"],
  ])("refuses %s", async (_, body, status, pointer) => {
    const { call, directory } = await withTenant();
    const answer = await call("POST", "/tenants/acme/keys", body);
    expect(answer.status).toBe(status);
    expect(answer.json["problems"]).toMatchObject([{ pointer }]);
    expect(directory.find("acme")?.keys).toEqual([]);
  });

  test("never gives two keys one id, though chance did", async () => {
    const drawn = [1, 1, 1, 1, 2, 2];
    const { call } = await withTenant();
    const { call: rigged } = await withTenant({
      entropy: { bytes: (count) => new Uint8Array(count).fill(count === 6 ? 9 : (drawn.shift() ?? 3)) },
    });
    const first = await rigged("POST", "/tenants/acme/keys", { name: "first" });
    const second = await rigged("POST", "/tenants/acme/keys", { name: "second" });
    expect(second.json["id"]).not.toBe(first.json["id"]);
    expect((await call("GET", "/tenants/acme/keys")).json["keys"]).toEqual([]);
  });

  test("stops at the most active keys, and forgets the oldest dead ones but none that a limit names", async () => {
    const { call, ports, directory } = await withTenant();
    const by = { actor: "test" };
    const ids: string[] = [];
    for (let count = 0; count < liveKeysLimit; count += 1) {
      const issued = await issueKey(ports, "acme", by, { name: `key ${count}` });
      if (issued.ok) ids.push(issued.value.value.key.id);
    }
    expect(ids).toHaveLength(liveKeysLimit);
    const refused = await call("POST", "/tenants/acme/keys", { name: "one more" });
    expect([refused.status, refused.json["type"]]).toEqual([409, "urn:strait:problem:too-many-keys"]);

    await call("PUT", "/tenants/acme/limits", {
      limits: [{ name: "k", unit: "requests", window: "minute", ceiling: 1, key: ids[0] }],
    });
    for (const id of ids.slice(0, 150)) await call("DELETE", `/tenants/acme/keys/${id}`);
    await call("POST", "/tenants/acme/keys", { name: "one more" });
    const kept = directory.find("acme")?.keys.map((key) => key.id) ?? [];
    expect(kept).toContain(ids[0]);
    expect(kept).not.toContain(ids[1]);
    expect(kept).toContain(ids[149]);
    expect(kept).toHaveLength(1 + 100 + 350 + 1);
  });
});

describe("revoking a key", () => {
  test("holds at once, is told apart from expiry, and said twice changes nothing", async () => {
    const { call, clock, directory } = await withTenant();
    const { id } = (await call("POST", "/tenants/acme/keys", { name: "app", expiresAt: "2026-11-23T13:00:00Z" })).json;
    clock.ms += 2 * 3_600_000;
    expect((await call("GET", "/tenants/acme/keys")).json["keys"]).toMatchObject([{ state: "expired", revokedAt: null }]);
    const revoked = await call("DELETE", `/tenants/acme/keys/${String(id)}`);
    expect(revoked.json).toMatchObject({ id, state: "revoked", revokedAt: "2026-11-23T14:00:00.000Z" });
    clock.ms += 1_000;
    expect((await call("DELETE", `/tenants/acme/keys/${String(id)}`)).json["revokedAt"]).toBe("2026-11-23T14:00:00.000Z");
    expect(directory.audits.map((entry) => entry.action)).toEqual(["key.revoke", "key.issue", "tenant.add"]);
    expect(directory.audits[0]?.detail).toEqual({ keyId: id, name: "app" });
  });

  test("of another tenant or of none is not found", async () => {
    const { call } = await withTenant();
    await call("POST", "/tenants", { id: "other", name: "Other" });
    const { id } = (await call("POST", "/tenants/acme/keys", { name: "app" })).json;
    for (const path of [`/tenants/other/keys/${String(id)}`, "/tenants/acme/keys/nokey"]) {
      const answer = await call("DELETE", path);
      expect([answer.status, answer.json["type"]]).toEqual([404, "urn:strait:problem:key-not-found"]);
    }
  });
});
