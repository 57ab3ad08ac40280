/** What a tenant may look up with its key: the models it may use now, its receipts, and what it used. */
import type { Dialect } from "./dialect/dialect.ts";
import type { HeaderList, Inbound, Outbound } from "./edge.ts";
import { allow, refuse, type Decision } from "./decision.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { usageDimensions } from "./ledger/journal-reader.ts";
import { usageDocument } from "./ledger/usage-document.ts";
import { readUsageAsked } from "./ledger/usage-period.ts";
import type { Permit } from "./policy/permit.ts";
import { permittedModels } from "./policy/permitted-models.ts";
import { StoreUnavailable } from "./quota/store.ts";
import type { Model } from "./region/catalogue.ts";
import { Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import { limitsAsTheyStand } from "./reserve.ts";
import { authenticate, credentialsOf, isTokenId, type Caller } from "./tenant/authenticate.ts";
import { digestKeySet } from "./tenant/digest-key-set.ts";

const encoder = new TextEncoder();
/** What one key may see is for no cache to keep. */
const lookupHeaders: HeaderList = ["content-type", "application/json", "cache-control", "no-store"];

export type Lookup = (caller: Caller) => Decision<unknown> | Promise<Decision<unknown>>;

/** Authenticates, looks up, answers: a lookup holds no quota and reaches no upstream. */
export async function answerLookup(
  lookup: Lookup,
  inbound: Inbound,
  outbound: Outbound,
  dialect: Dialect,
  ports: ExchangePorts,
): Promise<void> {
  const reply = new Reply(outbound, dialect, requestId(ports.entropy, ports.clock), ports.clock);
  try {
    const caller = await authenticate(credentialsOf(inbound), ports);
    const found = caller.ok ? await lookup(caller.value) : caller;
    if (caller.ok) reply.add(dialect.rateHeaders(await limitsAsTheyStand(caller.value, ports), ports.clock.nowMs()));
    if (!found.ok) return reply.refuse(found.refusal);
    reply.whole(200, lookupHeaders, encoder.encode(JSON.stringify(found.value)));
  } catch (error) {
    ports.log.error("a lookup failed", { requestId: reply.requestId, error: String(error) });
    reply.refuse(error instanceof StoreUnavailable ? { kind: "store_unavailable", retryAfterMs: 1_000 } : { kind: "internal" });
  }
}

export function listModels(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async (caller) => allow(modelPage(await usableModels(caller, ports), dialect));
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

export function showModel(
  name: string,
  inbound: Inbound,
  outbound: Outbound,
  dialect: Dialect,
  ports: ExchangePorts,
): Promise<void> {
  const lookup: Lookup = async (caller) => {
    const id = ports.world(ports.clock.nowMs()).catalogue.modelNames.get(name);
    const model = (await usableModels(caller, ports)).find((candidate) => candidate.id === id);
    return model === undefined ? refuse({ kind: "model_not_found", model: name }) : allow(modelDocument(model, dialect));
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

export function showReceipt(
  id: string,
  inbound: Inbound,
  outbound: Outbound,
  dialect: Dialect,
  ports: ExchangePorts,
): Promise<void> {
  const lookup: Lookup = async (caller) => {
    const { id: tenantId } = caller.tenant;
    const receipt = (await ports.journal.find(tenantId, id)) ?? (await ports.refusals?.find(tenantId, id));
    return receipt === undefined ? refuse({ kind: "receipt_not_found", id }) : allow(receipt);
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

/**
 * What the digests in the tenant's receipts are made with. Whoever has it can try texts against all receipts of the tenant:
 * a key that was narrowed to some models or calls, and a token, which is one person's or program's, were given to somebody
 * who is not to learn what others of the tenant asked.
 */
export function showDigestKeys(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async ({ tenant, scopes, keyId }) => {
    const isNarrow = scopes.models !== undefined || scopes.surfaces !== undefined || isTokenId(keyId);
    if (isNarrow) return refuse({ kind: "key_scope", detail: "digest keys are shown to keys without a scope alone" });
    return allow(digestKeySet(await ports.digestKeys.all(tenant)));
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

/** Sums over the tenant's own receipts. */
export function showUsage(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async ({ tenant }) => {
    const { reader } = ports;
    if (reader === undefined) return refuse({ kind: "route_not_found" });
    const query = new URLSearchParams(inbound.query);
    const defaults = { nowMs: ports.clock.nowMs(), timeZone: tenant.timeZone };
    const asked = readUsageAsked((name) => query.get(name) || undefined, defaults, tenantDimensions);
    const usage = asked.ok ? await usageDocument(reader, tenant.id, asked.value) : asked;
    if (usage.ok) return allow(usage.value);
    const [problem] = usage.problems;
    return refuse({ kind: "invalid_field", param: problem?.parameter ?? "", expected: problem?.expected ?? "" });
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

const tenantDimensions = usageDimensions.filter((dimension) => dimension !== "tenant");

/** The models for which this caller would get a permit right now, as far as its key reaches, and no order withdraws it. */
async function usableModels(caller: Caller, ports: ExchangePorts): Promise<readonly Model[]> {
  const { clock, revocations } = ports;
  await revocations.hear();
  const nowMs = clock.nowMs();
  const { catalogue, policy } = ports.world(nowMs);
  const { tenant, keyId } = caller;
  const stands = (permit: Permit): boolean => revocations.standing(permit, { tenant, keyId, model: permit.model }).ok;
  const permitted = permittedModels(tenant, policy, catalogue, nowMs, stands);
  return permitted.filter((model) => caller.scopes.models === undefined || caller.scopes.models.includes(model.id));
}

function modelPage(models: readonly Model[], dialect: Dialect): unknown {
  const data = models.map((model) => modelDocument(model, dialect));
  if (dialect.name !== "anthropic") return { object: "list", data };
  return { data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null };
}

function modelDocument(model: Model, dialect: Dialect): unknown {
  if (dialect.name !== "anthropic") return { id: model.id, object: "model", created: model.createdAt, owned_by: model.maker };
  return {
    type: "model",
    id: model.id,
    display_name: model.displayName,
    created_at: new Date(model.createdAt * 1_000).toISOString(),
  };
}
