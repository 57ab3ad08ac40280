import type { Surface } from "../region/catalogue.ts";
import { mintKey } from "../tenant/key.ts";
import type { ApiKey, DirectoryEntry } from "../tenant/tenant.ts";
import { change } from "./change.ts";
import type { ChangeBy, Changed, ChangePorts } from "./change.ts";
import { checkModels } from "./known-names.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

export interface NewKey {
  readonly name: string;
  /** RFC 3339, in the future; absent: until revoked. */
  readonly expiresAt?: string | null | undefined;
  /** Absent: all that the tenant may use. Aliases are kept as the models they stand for. */
  readonly models?: readonly string[] | null | undefined;
  readonly surfaces?: readonly Surface[] | null | undefined;
}

export interface IssuedKey {
  readonly key: ApiKey;
  /** The key itself. It leaves here once and is stored nowhere. */
  readonly secret: string;
}

/** All of a tenant's keys are in the one document that is read on every request, so they are bounded. */
export const liveKeysLimit = 500;
const deadKeysKept = 100;

export async function issueKey(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  input: NewKey,
): Promise<Outcome<Changed<IssuedKey>>> {
  return change(ports, tenantId, by, (entry, now) => {
    if (entry.tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const models = checkModels(ports.catalogue(), input.models ?? [], "/models");
    const wrong = invalid([...models.problems, ...checkExpiry(input.expiresAt ?? undefined, now), ...checkScopes(input)]);
    if (wrong !== undefined) return wrong;
    const kept = prune(entry, now);
    if (kept.filter((key) => keyState(key, now) === "active").length >= liveKeysLimit) {
      return no({ kind: "too_many_keys", limit: liveKeysLimit });
    }
    const minted = mintUnused(ports, entry);
    const key: ApiKey = {
      id: minted.id,
      name: input.name,
      digest: minted.digest,
      createdAt: now,
      expiresAt: input.expiresAt ? new Date(input.expiresAt).toISOString() : undefined,
      revokedAt: undefined,
      models: input.models ? models.ids : undefined,
      surfaces: input.surfaces ? [...new Set(input.surfaces)] : undefined,
    };
    const { id, name, expiresAt, surfaces } = key;
    const detail = { keyId: id, name, expiresAt: expiresAt ?? null, models: key.models ?? null, surfaces: surfaces ?? null };
    return done({ value: { key, secret: minted.key }, entry: { keys: [...kept, key] }, action: "key.issue", detail });
  });
}

/** Refused from the next request on. Revoking again changes nothing. Open to closed tenants as well. */
export async function revokeKey(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  keyId: string,
): Promise<Outcome<Changed<ApiKey>>> {
  return change(ports, tenantId, by, (entry, now) => {
    const key = entry.keys.find((candidate) => candidate.id === keyId);
    if (key === undefined) return no({ kind: "key_not_found", tenantId, keyId });
    if (key.revokedAt !== undefined) return done({ value: key });
    const revoked: ApiKey = { ...key, revokedAt: now };
    const keys = entry.keys.map((candidate) => (candidate.id === keyId ? revoked : candidate));
    return done({ value: revoked, entry: { keys }, action: "key.revoke", detail: { keyId, name: key.name } });
  });
}

export type KeyState = "active" | "expired" | "revoked";

export function keyState(key: ApiKey, now: string): KeyState {
  if (key.revokedAt !== undefined) return "revoked";
  return key.expiresAt !== undefined && Date.parse(key.expiresAt) <= Date.parse(now) ? "expired" : "active";
}

/** Eight characters may meet again; a second key of one id would make the first unrevocable. */
function mintUnused(ports: ChangePorts, entry: DirectoryEntry): ReturnType<typeof mintKey> {
  const used = new Set(entry.keys.map((key) => key.id));
  for (;;) {
    const minted = mintKey(entry.tenant.id, ports.entropy, ports.sha256);
    if (!used.has(minted.id)) return minted;
  }
}

/** Drops the oldest dead keys, but none that a limit names: the audit keeps the history, the entry need not. */
function prune(entry: DirectoryEntry, now: string): readonly ApiKey[] {
  const named = new Set(entry.limits.map((limit) => limit.key));
  const droppable = entry.keys.filter((key) => keyState(key, now) !== "active" && !named.has(key.id));
  const dropped = new Set(droppable.slice(0, Math.max(0, droppable.length - deadKeysKept)));
  return entry.keys.filter((key) => !dropped.has(key));
}

function checkExpiry(expiresAt: string | undefined, now: string): Problem[] {
  if (expiresAt === undefined) return [];
  const atMs = Date.parse(expiresAt);
  if (Number.isNaN(atMs)) return [{ pointer: "/expiresAt", detail: "Write a time as RFC 3339, such as `2027-01-31T00:00:00Z`." }];
  if (atMs <= Date.parse(now))
    return [{ pointer: "/expiresAt", detail: `The key would be expired from the start; it is ${now} now.` }];
  return [];
}

/** An empty scope would be a key that opens nothing, and reads like one that opens everything. */
function checkScopes(input: NewKey): Problem[] {
  const problems: Problem[] = [];
  if (input.models?.length === 0)
    problems.push({ pointer: "/models", detail: "Name at least one model, or leave it out for all." });
  if (input.surfaces?.length === 0)
    problems.push({ pointer: "/surfaces", detail: "Name at least one surface, or leave it out for all." });
  return problems;
}
