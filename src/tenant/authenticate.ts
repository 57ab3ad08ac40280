import type { Clock, Sha256 } from "../clock.ts";
import { allow, refuse, type Decision } from "../decision.ts";
import type { Inbound } from "../edge.ts";
import type { Surface } from "../region/catalogue.ts";
import type { Directory } from "./directory.ts";
import { digestMatches, hex, parseKey, type ParsedKey } from "./key.ts";
import { isToken, tenantOfToken, verifyToken } from "./oidc.ts";
import type { Refusal } from "../refusal.ts";
import type { ApiKey, DirectoryEntry, Tenant } from "./tenant.ts";

export interface Scopes {
  /** Model ids; `undefined`: all that the tenant may use. */
  readonly models: readonly string[] | undefined;
  readonly surfaces: readonly Surface[] | undefined;
}

/** Who asks, as far as it is proven. */
export interface Caller {
  readonly entry: DirectoryEntry;
  readonly tenant: Tenant;
  /** The key's public id; for a token, an id of its issuer and subject. */
  readonly keyId: string;
  readonly keyName: string;
  readonly scopes: Scopes;
}

export interface AuthenticatePorts {
  readonly directory: Directory;
  readonly sha256: Sha256;
  readonly clock: Pick<Clock, "nowMs">;
}

/** Who asks; or a refusal, which tells who it was where the secret was right and something else stands against it. */
export type Authenticated =
  | { readonly ok: true; readonly value: Caller }
  | { readonly ok: false; readonly refusal: Refusal; readonly caller?: Caller };

/** The one secret that a request carries, or why there is not one. */
export type Credentials = Decision<string>;

const invalidKey = refuse({ kind: "invalid_key" });
const bearer = /^bearer +(\S.*)$/i;

/**
 * The key from wherever an official SDK puts it: `Authorization: Bearer` (all), `api-key` (Azure), `x-api-key`
 * (Anthropic). Paths are shared by dialects, so all are read on every path. Two different keys are refused: which one
 * pays would otherwise depend on the order in which we look.
 */
export function credentialsOf(inbound: Pick<Inbound, "header">): Credentials {
  const candidates = [
    bearer.exec(inbound.header("authorization") ?? "")?.[1],
    inbound.header("api-key"),
    inbound.header("x-api-key"),
  ];
  let found: string | undefined;
  for (const candidate of candidates) {
    const secret = candidate?.trim();
    if (secret === undefined || secret === "") continue;
    if (found !== undefined && found !== secret) return invalidKey;
    found = secret;
  }
  return found === undefined ? refuse({ kind: "missing_key" }) : allow(found);
}

/**
 * Says who asks, or refuses. Answers at once for a key where the directory does, because a promise costs a turn of the
 * loop on every request. A directory that cannot be reached throws, and nobody is let in.
 */
export function authenticate(credentials: Credentials, ports: AuthenticatePorts): Authenticated | Promise<Authenticated> {
  if (!credentials.ok) return credentials;
  const secret = credentials.value;
  const key = parseKey(secret);
  if (key !== undefined) {
    const found = ports.directory.find(key.tenantId);
    if (found !== undefined && "then" in found) return found.then((entry) => byKey(entry, key, secret, ports));
    return byKey(found, key, secret, ports);
  }
  return isToken(secret) ? byToken(secret, ports) : invalidKey;
}

/** What an unknown tenant's or key's secret is compared with: no text has this digest, and the comparison takes as long. */
const nobody = "0".repeat(64);

function byKey(entry: DirectoryEntry | undefined, parsed: ParsedKey, secret: string, ports: AuthenticatePorts): Authenticated {
  const key = entry?.keys.find((candidate) => candidate.id === parsed.keyId);
  const matches = digestMatches(ports.sha256(secret), key?.digest ?? nobody);
  // Nothing that the entry says may be told before the secret is proven.
  if (!matches || entry === undefined || key === undefined || entry.tenant.id !== parsed.tenantId) return invalidKey;
  const nowMs = ports.clock.nowMs();
  const caller: Caller = {
    entry,
    tenant: entry.tenant,
    keyId: key.id,
    keyName: key.name,
    scopes: { models: key.models, surfaces: key.surfaces },
  };
  if (key.revokedAt !== undefined) return { ...refuse({ kind: "revoked_key" }), caller };
  if (hasExpired(key, nowMs)) return { ...refuse({ kind: "expired_key" }), caller };
  const { state } = entry.tenant.verification;
  if (state !== "verified") return { ...refuse({ kind: "tenant_not_verified", state }), caller };
  ports.directory.touchKey(entry.tenant.id, key.id, nowMs);
  return allow(caller);
}

/** A date that cannot be read counts as passed. */
function hasExpired(key: ApiKey, nowMs: number): boolean {
  return key.expiresAt !== undefined && !(nowMs < Date.parse(key.expiresAt));
}

const tokenIdPrefix = "oidc:";

/** Whether it was a token that the caller of this id showed, and not a key. */
export function isTokenId(keyId: string): boolean {
  return keyId.startsWith(tokenIdPrefix);
}

async function byToken(token: string, ports: AuthenticatePorts): Promise<Authenticated> {
  const tenantId = tenantOfToken(token);
  if (tenantId === undefined) return invalidKey;
  const entry = await ports.directory.find(tenantId);
  const oidc = entry?.tenant.oidc;
  if (entry === undefined || oidc === undefined || entry.tenant.id !== tenantId) return invalidKey;
  const verified = await verifyToken(token, oidc, ports.clock.nowMs());
  if (!verified.ok) return verified;
  const { subject, scopes } = verified.value;
  const keyId = `${tokenIdPrefix}${hex(ports.sha256(`${oidc.issuer}\n${subject}`)).slice(0, 16)}`;
  const caller: Caller = { entry, tenant: entry.tenant, keyId, keyName: "oidc", scopes };
  const { state } = entry.tenant.verification;
  return state === "verified" ? allow(caller) : { ...refuse({ kind: "tenant_not_verified", state }), caller };
}

/** Whether the key's own scopes cover a model (by its id in the catalogue, never an alias) and a surface. */
export function checkScope(caller: Pick<Caller, "scopes">, model: string, surface: Surface): Decision<void> {
  const { models, surfaces } = caller.scopes;
  if (models !== undefined && !models.includes(model)) {
    return refuse({ kind: "key_scope", detail: "the model asked for is not among the models that it was issued for" });
  }
  if (surfaces !== undefined && !surfaces.includes(surface)) {
    return refuse({ kind: "key_scope", detail: `${surface} is not among the calls that it was issued for` });
  }
  return allow(undefined);
}
