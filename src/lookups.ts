/** What a tenant may look up with its key: the models it may use now, and its receipts. */
import type { Dialect } from "./dialect/dialect.ts";
import type { Inbound, Outbound } from "./edge.ts";
import { allow, refuse, type Decision } from "./decision.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { permittedModels } from "./policy/permitted-models.ts";
import type { Model } from "./region/catalogue.ts";
import { Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import { authenticate, credentialsOf, type Caller } from "./tenant/authenticate.ts";

const encoder = new TextEncoder();

type Lookup = (caller: Caller) => Decision<unknown> | Promise<Decision<unknown>>;

/** Authenticates, looks up, answers: a lookup holds no quota and reaches no upstream. */
async function answerLookup(lookup: Lookup, inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const reply = new Reply(outbound, dialect, requestId(ports.entropy, ports.clock), ports.clock);
  try {
    const caller = await authenticate(credentialsOf(inbound), ports);
    const found = caller.ok ? await lookup(caller.value) : caller;
    if (!found.ok) return reply.refuse(found.refusal);
    reply.whole(200, ["content-type", "application/json"], encoder.encode(JSON.stringify(found.value)));
  } catch (error) {
    ports.log.error("a lookup failed", { requestId: reply.requestId, error: String(error) });
    reply.refuse({ kind: "internal" });
  }
}

export function listModels(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  return answerLookup((caller) => allow(modelPage(usableModels(caller, ports), dialect)), inbound, outbound, dialect, ports);
}

export function showModel(name: string, inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = (caller) => {
    const id = ports.world().catalogue.modelNames.get(name);
    const model = usableModels(caller, ports).find((candidate) => candidate.id === id);
    return model === undefined ? refuse({ kind: "model_not_found", model: name }) : allow(modelDocument(model, dialect));
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

export function showReceipt(id: string, inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async (caller) => {
    const receipt = await ports.journal.find(caller.tenant.id, id);
    return receipt === undefined ? refuse({ kind: "receipt_not_found", id }) : allow(receipt);
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

/** The models for which this caller would get a permit right now, as far as its key reaches. */
function usableModels(caller: Caller, ports: ExchangePorts): readonly Model[] {
  const { catalogue, policy } = ports.world();
  const permitted = permittedModels(caller.tenant, policy, catalogue, ports.clock.nowMs());
  return permitted.filter((model) => caller.scopes.models === undefined || caller.scopes.models.includes(model.id));
}

function modelPage(models: readonly Model[], dialect: Dialect): unknown {
  const data = models.map((model) => modelDocument(model, dialect));
  if (dialect.name !== "anthropic") return { object: "list", data };
  return { data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null };
}

function modelDocument(model: Model, dialect: Dialect): unknown {
  if (dialect.name !== "anthropic") return { id: model.id, object: "model", created: model.createdAt, owned_by: model.maker };
  return { type: "model", id: model.id, display_name: model.displayName, created_at: new Date(model.createdAt * 1_000).toISOString() };
}
