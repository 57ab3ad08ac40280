import { describe, expect, test } from "vitest";
import { base64Url } from "../../src/base64.ts";
import { DirectoryDigestKeys, digestKeysLimit, rotateDigestKey } from "../../src/control/digest-keys.ts";
import { createSecretBox } from "../../src/secret-box.ts";
import type { DirectoryEntry, Tenant } from "../../src/tenant/tenant.ts";
import { control, decided, entropy, sha256, type Fixture } from "./control-fixture.ts";

async function withTenant(overrides: Parameters<typeof control>[0] = {}): Promise<Fixture> {
  const fixture = control(overrides);
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme" });
  return fixture;
}

function tenantOf({ directory }: Fixture): Tenant {
  const tenant = directory.find("acme")?.tenant;
  if (tenant === undefined) throw new Error("no tenant");
  return tenant;
}

/** The entry as it was before tenants had digest keys. */
function without(entry: DirectoryEntry | undefined, ...members: readonly (keyof Tenant)[]): DirectoryEntry {
  if (entry === undefined) throw new Error("no entry");
  const tenant = Object.fromEntries(Object.entries(entry.tenant).filter(([name]) => !members.includes(name as keyof Tenant)));
  return { ...entry, tenant: tenant as unknown as Tenant };
}

describe("a tenant's digest key", () => {
  test("is made with the tenant, and is the same object's at once from then on", async () => {
    const fixture = await withTenant();
    const keys = new DirectoryDigestKeys(fixture.ports);
    const tenant = tenantOf(fixture);
    const current = await keys.current(tenant);
    expect(current.key).toHaveLength(32);
    expect(keys.current(tenant)).toBe(current);
    expect(await keys.all(tenant)).toEqual([current]);
  });

  test("is made once for a tenant from before there were any; where it had a secret, the key that its receipts are of goes on", async () => {
    const fixture = await withTenant();
    const { endUserSecret, createdAt } = tenantOf(fixture);
    fixture.directory.entries.set("acme", without(fixture.directory.find("acme"), "digestKeys"));
    const keys = new DirectoryDigestKeys(fixture.ports);
    const made = await keys.current(tenantOf(fixture));
    const legacy = sha256(`receipt digests\nacme\n${endUserSecret ?? ""}`);
    expect(made).toMatchObject({ key: new Uint8Array(legacy), createdAt });
    expect((await keys.current(tenantOf(fixture))).id).toBe(made.id);

    fixture.directory.entries.set("acme", without(fixture.directory.find("acme"), "digestKeys", "endUserSecret"));
    const random = await keys.current(tenantOf(fixture));
    expect(random.key).not.toEqual(made.key);
    expect(fixture.directory.audits.map(({ action }) => action)).toEqual(["digest_key.make", "digest_key.make", "tenant.add"]);
  });

  test("is rotated: the new one digests, the old one stays known with its end", async () => {
    const fixture = await withTenant();
    const keys = new DirectoryDigestKeys(fixture.ports);
    const old = await keys.current(tenantOf(fixture));
    fixture.clock.ms += 1_000;
    const rotated = await fixture.call("POST", "/tenants/acme/digest-keys");
    const now = new Date(fixture.clock.ms).toISOString();
    const young = await keys.current(tenantOf(fixture));
    expect(young.key).not.toEqual(old.key);
    expect(rotated.status).toBe(201);
    expect(rotated.json["digestKeys"]).toEqual([
      { id: young.id, createdAt: now, retiredAt: null },
      { id: old.id, createdAt: old.createdAt, retiredAt: now },
    ]);
    expect((await fixture.call("GET", "/tenants/acme/digest-keys")).json).toEqual(rotated.json);
    expect(await keys.all(tenantOf(fixture))).toEqual([young, { ...old, retiredAt: now }]);
    expect(fixture.directory.audits[0]).toMatchObject({ action: "digest_key.rotate", detail: { retired: old.id } });
  });

  test("is rotated only on the revision that the operator saw, for a tenant that is there, and not without end", async () => {
    const fixture = await withTenant();
    const { call, directory } = fixture;
    expect((await call("POST", "/tenants/acme/digest-keys", undefined, { "if-match": '"7"' })).status).toBe(412);
    expect((await call("POST", "/tenants/nobody/digest-keys")).status).toBe(404);
    const entry = directory.find("acme");
    const [key] = entry?.tenant.digestKeys ?? [];
    if (entry === undefined || key === undefined) throw new Error("no key");
    directory.entries.set("acme", {
      ...entry,
      tenant: { ...entry.tenant, digestKeys: Array.from({ length: digestKeysLimit }, () => key) },
    });
    const refused = await call("POST", "/tenants/acme/digest-keys");
    expect([refused.status, refused.json["title"]]).toEqual([409, "Too many digest keys"]);
    expect((await call("POST", "/tenants/acme/verification", { ...decided, state: "closed" })).status).toBe(200);
    expect((await call("POST", "/tenants/acme/digest-keys")).json["title"]).toBe("Tenant closed");
  });

  test("is in no answer to operators and in no audit entry, and sealed in the store where there is a key for that", async () => {
    const secretBox = createSecretBox([entropy.bytes(32)], entropy);
    const fixture = await withTenant({ secretBox });
    const { call, directory } = fixture;
    const rotated = await call("POST", "/tenants/acme/digest-keys");
    const secrets = (await new DirectoryDigestKeys(fixture.ports).all(tenantOf(fixture))).map(({ key }) => base64Url(key));
    const sealed = tenantOf(fixture).digestKeys?.map((key) => key.sealed) ?? [];
    expect([secrets.length, sealed.length]).toEqual([2, 2]);
    const paths = ["/tenants", "/tenants/acme", "/tenants/acme/digest-keys", "/tenants/acme/audit", "/audit"];
    const shown = [rotated, ...(await Promise.all(paths.map((path) => call("GET", path))))].map(({ text }) => text).join("\n");
    expect(shown).toContain(tenantOf(fixture).digestKeys?.[0]?.id);
    for (const secret of secrets) {
      expect(shown).not.toContain(secret);
      expect(JSON.stringify([...directory.entries.values(), directory.audits])).not.toContain(secret);
    }
    for (const text of sealed) expect(shown).not.toContain(text);
  });

  test("is sealed anew when it is rotated, so that a sealing key that was replaced can go", async () => {
    const [old, young] = [entropy.bytes(32), entropy.bytes(32)];
    const plain = await withTenant({ secretBox: createSecretBox([], entropy) });
    const rotatedUnder = async (...keys: readonly Uint8Array[]): Promise<void> => {
      const ports = { ...plain.ports, secretBox: createSecretBox(keys, entropy) };
      expect((await rotateDigestKey(ports, "acme", { actor: "test" })).ok).toBe(true);
    };
    const first = await new DirectoryDigestKeys(plain.ports).current(tenantOf(plain));
    await rotatedUnder(old);
    expect(JSON.stringify(tenantOf(plain).digestKeys)).not.toContain("plain.");
    await rotatedUnder(young, old);
    const alone = new DirectoryDigestKeys({ ...plain.ports, secretBox: createSecretBox([young], entropy) });
    const all = await alone.all(tenantOf(plain));
    expect(all).toHaveLength(3);
    expect(all.at(-1)).toMatchObject({ id: first.id, key: first.key });
  });

  test("that does not open refuses: nothing is recorded under another key", async () => {
    const fixture = await withTenant({ secretBox: createSecretBox([entropy.bytes(32)], entropy) });
    const other = { ...fixture.ports, secretBox: createSecretBox([entropy.bytes(32)], entropy) };
    await expect(new DirectoryDigestKeys(other).current(tenantOf(fixture))).rejects.toThrow("STRAIT_SECRETS_KEY must hold");
  });
});
