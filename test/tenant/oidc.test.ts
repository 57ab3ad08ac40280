import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from "jose";
import { describe, expect, test } from "vitest";
import { allow, type Decision } from "../../src/decision.ts";
import { authenticate, type Caller } from "../../src/tenant/authenticate.ts";
import { hex } from "../../src/tenant/key.ts";
import type { OidcIssuer, Tenant } from "../../src/tenant/tenant.ts";
import { entryOf, issuerOf, mint, nowMs, ports, sha256, tenant } from "./fixtures.ts";

const nowSeconds = nowMs / 1_000;
const signing = await generateKeyPair("RS256", { extractable: true });
const stranger = await generateKeyPair("RS256", { extractable: true });
const curve = await generateKeyPair("ES256", { extractable: true });
const publicJwk = { ...(await exportJWK(signing.publicKey)), kid: "k1" };
const curveJwk = { ...(await exportJWK(curve.publicKey)), kid: "k2" };

type Claims = Readonly<Record<string, unknown>>;

interface Signed {
  readonly claims?: Claims;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey | Uint8Array;
}

const usual: JWTPayload = {
  iss: "https://id.acme.test",
  aud: "strait",
  sub: "user-1",
  exp: nowSeconds + 600,
  strait_tenant: "acme",
};

/** A token as the issuer would sign it, but for what is given; a claim of `undefined` is left out. */
function sign({ claims = {}, header = {}, key = signing.privateKey }: Signed = {}): Promise<string> {
  return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: "RS256", kid: "k1", ...header }).sign(key);
}

async function ask(
  token: string,
  oidc: OidcIssuer | undefined = issuerOf([publicJwk]),
  more: Partial<Tenant> = {},
): Promise<Decision<Caller>> {
  return authenticate(allow(token), ports([entryOf(tenant({ oidc, ...more }))]));
}

async function kindOf(answer: Promise<Decision<unknown>>): Promise<string> {
  const decision = await answer;
  return decision.ok ? "allowed" : decision.refusal.kind;
}

describe("a token of the tenant's own issuer", () => {
  test("acts for the tenant, under an id of its issuer and subject", async () => {
    const caller = await ask(await sign());
    if (!caller.ok) throw new Error(caller.refusal.kind);
    expect(caller.value).toMatchObject({
      tenant: { id: "acme" },
      keyName: "oidc",
      scopes: { models: undefined, surfaces: undefined },
    });
    expect(caller.value.keyId).toBe(`oidc:${hex(sha256("https://id.acme.test\nuser-1")).slice(0, 16)}`);
    const other = await ask(await sign({ claims: { sub: "user-2" } }));
    expect(other.ok && other.value.keyId).not.toBe(caller.value.keyId);
  });

  test("may be signed by any of its keys, on a curve as well", async () => {
    const oidc = issuerOf([publicJwk, curveJwk]);
    expect(await kindOf(ask(await sign(), oidc))).toBe("allowed");
    expect(await kindOf(ask(await sign({ header: { alg: "ES256", kid: "k2" }, key: curve.privateKey }), oidc))).toBe("allowed");
  });

  test("is read where the directory answers later", async () => {
    const at = ports([entryOf(tenant({ oidc: issuerOf([publicJwk]) }))], true);
    expect((await authenticate(allow(await sign()), at)).ok).toBe(true);
    expect(at.touched).toEqual([]);
  });

  test("narrows its own scopes by claims, and names that nobody knows allow nothing", async () => {
    const caller = await ask(await sign({ claims: { strait_models: "gpt-5  o4", strait_surfaces: "responses nonsense" } }));
    expect(caller.ok && caller.value.scopes).toEqual({ models: ["gpt-5", "o4"], surfaces: ["responses"] });
    const nothing = await ask(await sign({ claims: { strait_models: "", strait_surfaces: "nonsense" } }));
    expect(nothing.ok && nothing.value.scopes).toEqual({ models: [], surfaces: [] });
    expect(await kindOf(ask(await sign({ claims: { strait_models: ["gpt-5"] } })))).toBe("invalid_key");
  });

  test("must carry the claims that the tenant asks for, with exactly their values", async () => {
    const oidc = issuerOf([publicJwk], { claims: { department: "research" } });
    expect(await kindOf(ask(await sign({ claims: { department: "research" } }), oidc))).toBe("allowed");
    for (const department of ["Research", ["research"], undefined, true])
      expect(await kindOf(ask(await sign({ claims: { department } }), oidc))).toBe("invalid_key");
  });

  test("is of use only to a tenant that is verified", async () => {
    const verification = { state: "suspended", since: "2026-01-01T00:00:00Z", evidence: undefined } as const;
    expect(await kindOf(ask(await sign(), undefined, { verification, oidc: issuerOf([publicJwk]) }))).toBe("tenant_not_verified");
    // Of the tenant's state a stranger's token learns nothing.
    expect(
      await kindOf(ask(await sign({ key: stranger.privateKey }), undefined, { verification, oidc: issuerOf([publicJwk]) })),
    ).toBe("invalid_key");
  });
});

describe("times", () => {
  test.each<[string, Claims, string]>([
    ["that has passed", { exp: nowSeconds - 31 }, "expired_key"],
    ["that passed within the tolerance", { exp: nowSeconds - 29 }, "allowed"],
    ["that is not there", { exp: undefined }, "invalid_key"],
    ["that is no number", { exp: "tomorrow" }, "invalid_key"],
  ])("an expiry %s", async (_what, claims, outcome) => {
    expect(await kindOf(ask(await sign({ claims })))).toBe(outcome);
  });

  test("a token from the future is refused", async () => {
    expect(await kindOf(ask(await sign({ claims: { nbf: nowSeconds + 60 } })))).toBe("invalid_key");
  });

  test("an expired token of a stranger is not called expired, but invalid", async () => {
    expect(await kindOf(ask(await sign({ claims: { exp: nowSeconds - 600 }, key: stranger.privateKey })))).toBe("invalid_key");
  });
});

describe("a token is refused", () => {
  test.each<[string, Claims]>([
    ["of another issuer", { iss: "https://id.evil.test" }],
    ["of no issuer", { iss: undefined }],
    ["for another audience", { aud: "somebody" }],
    ["for no audience", { aud: undefined }],
    ["without a subject", { sub: undefined }],
    ["with an empty subject", { sub: "" }],
    ["that names no tenant", { strait_tenant: undefined }],
    ["that names an unknown tenant", { strait_tenant: "nobody" }],
    ["whose tenant is no name", { strait_tenant: { id: "acme" } }],
    ["whose tenant is a path", { strait_tenant: "../acme" }],
  ])("%s", async (_what, claims) => {
    expect(await kindOf(ask(await sign({ claims })))).toBe("invalid_key");
  });

  test("that is signed with another key", async () => {
    expect(await kindOf(ask(await sign({ key: stranger.privateKey })))).toBe("invalid_key");
  });

  test("that is signed with a key that the issuer does not name", async () => {
    expect(await kindOf(ask(await sign({ header: { kid: "k9" } })))).toBe("invalid_key");
  });

  test("that is not signed at all", async () => {
    expect(await kindOf(ask(new UnsecuredJWT(usual).encode()))).toBe("invalid_key");
    const [, payload] = (await sign()).split(".");
    const none = Buffer.from('{"alg":"none","kid":"k1"}').toString("base64url");
    expect(await kindOf(ask(`${none}.${payload}.`))).toBe("invalid_key");
    expect(await kindOf(ask(`${none}.${payload}.AAAA`))).toBe("invalid_key");
  });

  test("that is signed with the issuer's public key as if it were a shared secret", async () => {
    const publicText = new TextEncoder().encode(JSON.stringify(publicJwk));
    const token = await sign({ header: { alg: "HS256" }, key: publicText });
    expect(await kindOf(ask(token))).toBe("invalid_key");
    // Not even where the key set itself holds that secret.
    const shared = { kty: "oct", kid: "k1", k: Buffer.from(publicText).toString("base64url"), alg: "HS256" };
    expect(await kindOf(ask(token, issuerOf([shared])))).toBe("invalid_key");
  });

  test("whose payload was changed after signing", async () => {
    const [header, , signature] = (await sign()).split(".");
    const changed = Buffer.from(JSON.stringify({ ...usual, sub: "admin" })).toString("base64url");
    expect(await kindOf(ask(`${header}.${changed}.${signature}`))).toBe("invalid_key");
  });

  test("that brings its own key or a critical header that nobody knows", async () => {
    const strangerJwk = await exportJWK(stranger.publicKey);
    expect(await kindOf(ask(await sign({ header: { jwk: strangerJwk }, key: stranger.privateKey })))).toBe("invalid_key");
    const [, payload, signature] = (await sign()).split(".");
    const critical = Buffer.from('{"alg":"RS256","kid":"k1","crit":["x"],"x":1}').toString("base64url");
    expect(await kindOf(ask(`${critical}.${payload}.${signature}`))).toBe("invalid_key");
  });

  test("by a tenant that has no issuer, or whose key set is broken", async () => {
    const at = ports([entryOf(tenant())]);
    expect(await kindOf(Promise.resolve(authenticate(allow(await sign()), at)))).toBe("invalid_key");
    for (const keys of [[], [{}], [{ kty: "RSA", kid: "k1" }], [{ ...publicJwk, n: "AA" }]])
      expect(await kindOf(ask(await sign(), issuerOf(keys)))).toBe("invalid_key");
    expect(await kindOf(ask(await sign(), { ...issuerOf([]), jwks: {} as OidcIssuer["jwks"] }))).toBe("invalid_key");
  });

  test("by another tenant with the same issuer, for which it was not made", async () => {
    const oidc = issuerOf([publicJwk]);
    const entries = [entryOf(tenant({ oidc })), entryOf(tenant({ id: "other", oidc }))];
    const caller = await authenticate(allow(await sign()), ports(entries));
    expect(caller.ok && caller.value.tenant.id).toBe("acme");
  });

  test("that is malformed or absurdly long, without a look-up", async () => {
    const at = ports([]);
    for (const text of [
      "a.b.c",
      "..",
      "a.b.c.d",
      `e30.${"A".repeat(20_000)}.AA`,
      `${Buffer.from("[1]").toString("base64url")}.e30.AA`,
      "e30.bm90IGpzb24.AA",
    ]) {
      expect(await kindOf(Promise.resolve(authenticate(allow(text), at)))).toBe("invalid_key");
    }
    expect(at.found).toEqual([]);
  });
});

test("a rotated key set is used at once: the old key's tokens stop, the new key's begin", async () => {
  const next = await generateKeyPair("RS256", { extractable: true });
  const nextJwk = { ...(await exportJWK(next.publicKey)), kid: "k3" };
  const before = issuerOf([publicJwk]);
  const after = issuerOf([nextJwk]);
  const [old, fresh] = [await sign(), await sign({ header: { kid: "k3" }, key: next.privateKey })];
  expect([await kindOf(ask(old, before)), await kindOf(ask(fresh, before))]).toEqual(["allowed", "invalid_key"]);
  expect([await kindOf(ask(old, after)), await kindOf(ask(fresh, after))]).toEqual(["invalid_key", "allowed"]);
});

test("an API key is never taken for a token", () => {
  const at = ports([]);
  expect(authenticate(allow(mint().key), at)).not.toBeInstanceOf(Promise);
});
