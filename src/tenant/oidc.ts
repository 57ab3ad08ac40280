/**
 * Tokens of a tenant's own identity provider, so that a company need not hand out keys. The token says in a claim which
 * tenant it acts for; what it says counts only once that tenant's own issuer is shown to have signed it.
 */
import { createLocalJWKSet, decodeJwt, errors, jwtVerify, type JSONWebKeySet, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { allow, refuse, type Decision } from "../decision.ts";
import { surfaces as allSurfaces, type Surface } from "../region/catalogue.ts";
import { tenantIdPattern } from "./key.ts";
import type { Scopes } from "./authenticate.ts";
import type { OidcIssuer } from "./tenant.ts";

/** The claims that Strait gives a meaning to. Scopes are separated by spaces, as in OAuth. */
export const tokenClaims = { tenant: "strait_tenant", models: "strait_models", surfaces: "strait_surfaces" } as const;

/** Asymmetric ones alone: with an HMAC, whoever knows the issuer's *public* key could sign. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

const longestToken = 16_384;
const clockToleranceSeconds = 30;
const tokenPattern = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

export interface TokenFacts {
  readonly subject: string;
  readonly scopes: Scopes;
}

/** Whether a secret has the shape of a JWT: three dot-separated parts. */
export function isToken(secret: string): boolean {
  return secret.length <= longestToken && tokenPattern.test(secret);
}

/** The tenant that a token claims to act for. Proven by nothing yet. */
export function tenantOfToken(token: string): string | undefined {
  try {
    const tenantId = decodeJwt(token)[tokenClaims.tenant];
    return typeof tenantId === "string" && tenantIdPattern.test(tenantId) ? tenantId : undefined;
  } catch {
    return undefined;
  }
}

// Importing a key set costs far more than a verification; a changed issuer is a new object, so nothing stale is kept.
const keySets = new WeakMap<OidcIssuer, JWTVerifyGetKey>();

function keySetOf(issuer: OidcIssuer): JWTVerifyGetKey {
  let keySet = keySets.get(issuer);
  if (keySet === undefined) {
    keySet = createLocalJWKSet(structuredClone(issuer.jwks) as unknown as JSONWebKeySet);
    keySets.set(issuer, keySet);
  }
  return keySet;
}

/** Checks signature, issuer, audience, times and the tenant's required claims. Whatever fails, the answer is a refusal. */
export async function verifyToken(token: string, issuer: OidcIssuer, nowMs: number): Promise<Decision<TokenFacts>> {
  try {
    const { payload } = await jwtVerify(token, keySetOf(issuer), {
      algorithms,
      issuer: issuer.issuer,
      audience: issuer.audience,
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(nowMs),
      clockTolerance: clockToleranceSeconds,
    });
    return factsOf(payload, issuer);
  } catch (error) {
    // Told only of a token whose signature held: jose looks at times last.
    return refuse({ kind: error instanceof errors.JWTExpired ? "expired_key" : "invalid_key" });
  }
}

function factsOf(payload: JWTPayload, issuer: OidcIssuer): Decision<TokenFacts> {
  const invalid = refuse({ kind: "invalid_key" });
  for (const [claim, value] of Object.entries(issuer.claims)) if (payload[claim] !== value) return invalid;
  if (typeof payload.sub !== "string" || payload.sub === "") return invalid;
  const models = scopeOf(payload[tokenClaims.models]);
  const surfaces = scopeOf(payload[tokenClaims.surfaces]);
  if (models === "malformed" || surfaces === "malformed") return invalid;
  return allow({ subject: payload.sub, scopes: { models, surfaces: surfaces?.filter(isSurface) } });
}

function scopeOf(claim: unknown): readonly string[] | undefined | "malformed" {
  if (claim === undefined) return undefined;
  return typeof claim === "string" ? claim.split(" ").filter((name) => name !== "") : "malformed";
}

function isSurface(name: string): name is Surface {
  return (allSurfaces as readonly string[]).includes(name);
}
