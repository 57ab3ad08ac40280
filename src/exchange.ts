/**
 * One exchange, from a client's request to its receipt:
 *
 *     authenticate → read → authorise → reserve → choose and forward → relay → settle and record
 *
 * Each step may refuse; the first refusal is the answer. From the reservation on, whatever happens, the books are
 * closed exactly once, and before the client can know that its answer is complete.
 */
import type { Tracer } from "@opentelemetry/api";
import { concat } from "./bytes.ts";
import type { Cancel, Clock, Entropy, Sha256 } from "./clock.ts";
import { allow, refuse, type Decision } from "./decision.ts";
import type { Dialect } from "./dialect/dialect.ts";
import type { ModelRequest } from "./dialect/model-request.ts";
import { readBody, readHints } from "./dialect/read-body.ts";
import { storedRequest } from "./dialect/stored-request.ts";
import type { Inbound, Outbound } from "./edge.ts";
import type { Books, Journal } from "./ledger/journal.ts";
import { intentReceipt, outcomeReceipt, settlementFacts, type Outcome, type ReceiptBasis } from "./ledger/make-receipt.ts";
import { settle } from "./ledger/settlement.ts";
import { Lifetime } from "./lifetime.ts";
import type { Log } from "./log.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { authorise, narrow } from "./policy/authorise.ts";
import type { Permit } from "./policy/permit.ts";
import type { World } from "./policy/world.ts";
import { estimate } from "./quota/estimate.ts";
import { appliedLimits } from "./quota/limit.ts";
import { StoreUnavailable, type LimitState, type QuotaStore } from "./quota/store.ts";
import type { Refusal } from "./refusal.ts";
import { showCountries } from "./region/country.ts";
import type { Surface } from "./region/catalogue.ts";
import { answerHeaders, Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import type { Health } from "./routing/health.ts";
import type { Settings } from "./settings.ts";
import { authenticate, checkScope, credentialsOf, type Caller } from "./tenant/authenticate.ts";
import type { Directory } from "./tenant/directory.ts";
import { ExchangeTrace } from "./trace.ts";
import { attemptSpans, callerAttributes, permitAttributes, receiptAttributes, requestAttributes } from "./trace-exchange.ts";
import { attribute, spanName } from "./trace-names.ts";
import type { Credentials, StoredResponse } from "./upstream/address.ts";
import { forward, type ForwardSettings, type Forwarded, type Outgoing } from "./upstream/forward.ts";
import type { Transport } from "./upstream/transport.ts";

/** All that an exchange needs from outside. */
export interface ExchangePorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly sha256: Sha256;
  readonly log: Log;
  readonly tracer: Tracer;
  readonly directory: Directory;
  /** The catalogue and the policy as they are now, always as a pair. */
  readonly world: () => World;
  readonly quota: QuotaStore;
  readonly journal: Journal;
  readonly books: Books;
  readonly transport: Transport;
  readonly credentials: Credentials;
  readonly health: Health;
  readonly open: OpenExchanges;
  readonly settings: Settings;
}

/** What the path of a request already tells. */
export interface ModelCall {
  readonly dialect: Dialect;
  readonly surface: Surface;
  /** The route's pattern, for spans. */
  readonly route: string;
  /** Azure names the deployment, hence the model, in the path. */
  readonly modelFromPath: string | undefined;
  /** A call to one stored response, instead of one that makes an answer. */
  readonly stored: StoredResponse | undefined;
}

export async function exchange(call: ModelCall, inbound: Inbound, outbound: Outbound, ports: ExchangePorts): Promise<void> {
  const reply = new Reply(outbound, call.dialect, requestId(ports.entropy, ports.clock), ports.clock);
  const trace = ExchangeTrace.start(ports.tracer, inbound.method, call.route, inbound.header("traceparent"));
  const life = new Lifetime();
  inbound.onHangUp(() => life.cut("client_cancelled"));
  const stopDeadline = ports.clock.after(ports.settings.deadlines.totalMs, () => life.cut("deadline_passed"));
  let errorType: string | undefined;
  try {
    const refusal = await run(call, inbound, outbound, ports, reply, trace, life);
    if (refusal !== undefined) reply.refuse(refusal);
  } catch (error) {
    errorType = error instanceof Error ? error.name : "unknown";
    ports.log.error("an exchange failed", { requestId: reply.requestId, error: errorText(error) });
    reply.refuse(error instanceof StoreUnavailable ? { kind: "store_unavailable", retryAfterMs: 1_000 } : { kind: "internal" });
  } finally {
    stopDeadline();
    trace.set(() => ({ [attribute.requestId]: reply.requestId, [attribute.dialect]: call.dialect.name }));
    trace.end(reply.status, errorType ?? reply.refusal?.kind);
  }
}

/** The steps in order. A refusal returned is sent by the caller; `undefined` says that the answer is sent. */
async function run(
  call: ModelCall,
  inbound: Inbound,
  outbound: Outbound,
  ports: ExchangePorts,
  reply: Reply,
  trace: ExchangeTrace,
  life: Lifetime,
): Promise<Refusal | undefined> {
  const startedAtMs = ports.clock.nowMs();

  const authenticating = trace.step(spanName.authenticate);
  const caller = await authenticate(credentialsOf(inbound), ports);
  authenticating.end(caller.ok ? undefined : caller.refusal);
  if (!caller.ok) return caller.refusal;
  trace.set(() => callerAttributes(caller.value));

  const subject = await readSubject(call, inbound, ports, caller.value);
  if (!subject.ok) return subject.refusal;
  const { request, boundTo } = subject.value;
  trace.set(() => requestAttributes(call.surface, request));

  const authorising = trace.step(spanName.authorise);
  const permit = permitFor(caller.value, request, call.surface, boundTo, ports, startedAtMs);
  if (permit.ok && trace.recording) authorising.set(permitAttributes(permit.value));
  authorising.end(permit.ok ? undefined : permit.refusal);
  if (!permit.ok) return permit.refusal;

  const reserving = trace.step(spanName.reserve);
  const hold = estimate(request, permit.value);
  const basis: ReceiptBasis = {
    requestId: reply.requestId,
    caller: caller.value,
    dialect: call.dialect.name,
    request,
    permit: permit.value,
    hold,
    gatewayPlace: ports.settings.gatewayPlace,
    traceId: trace.traceId,
    startedAtMs,
  };
  const reserved = await reserve(basis, ports);
  reply.add(call.dialect.rateHeaders(reserved.states, ports.clock.nowMs()));
  reserving.set({ [attribute.heldTokens]: hold.amounts.tokens, [attribute.heldMicroUsd]: hold.amounts.microUsd });
  reserving.end(reserved.refusal);
  if (reserved.refusal !== undefined) return reserved.refusal;

  ports.open.add(reply.requestId, life);
  const stopRenewing = keepLease(basis, ports);
  let forwarded: Forwarded | undefined;
  let outcome: Outcome = { end: "upstream_failed", refusal: { kind: "internal" }, firstByteAtMs: undefined };
  try {
    const outgoing = outgoingOf(call, request, inbound);
    forwarded = await forward(permit.value, outgoing, life, forwardSettings(ports), attemptSpans(trace, call.surface, request.model));
    // No attempt comes after this: a long stream must not hold on to a long prompt.
    request.release();
    outcome = await relay(forwarded, call, reply, outbound, life, ports);
  } catch (error) {
    // Nobody reads the answer any more: left alone, it would gather in memory for as long as the upstream sends.
    if (forwarded?.kind === "answering") forwarded.answer.abandon();
    throw error;
  } finally {
    stopRenewing();
    await closeBooks(basis, forwarded, outcome, reply, trace, ports);
    ports.open.delete(reply.requestId);
  }
  return finish(forwarded, outcome, call, reply);
}

/** What is asked for: the body's few fields, and the deployment it is bound to where it refers to something stored there. */
interface Subject {
  readonly request: ModelRequest;
  readonly boundTo: { readonly deployment: string; readonly responseId: string } | undefined;
}

async function readSubject(call: ModelCall, inbound: Inbound, ports: ExchangePorts, caller: Caller): Promise<Decision<Subject>> {
  const bodiless = call.stored === undefined ? undefined : storedRequest(call.surface, call.stored.query);
  const request = bodiless === undefined ? await readBody(call.surface, inbound, call.modelFromPath, ports.settings.bodyLimitBytes) : allow(bodiless);
  if (!request.ok) return request;
  if (request.value.extractsWeights) return refuse({ kind: "unsupported_field", param: "logit_bias", detail: "together with logprobs it extracts a model's weights. Send one of them." });
  const responseId = call.stored?.id ?? request.value.previousResponseId;
  if (responseId === undefined) return allow({ request: request.value, boundTo: undefined });
  // An id made elsewhere means nothing there, and must not pull the request out of its permit: it goes to its issuer.
  const issued = await ports.journal.findResponse(caller.tenant.id, responseId);
  if (issued?.deployment === undefined) return refuse({ kind: "response_not_found", id: responseId });
  const model = bodiless === undefined ? request.value.model : issued.model;
  return allow({ request: { ...request.value, model }, boundTo: { deployment: issued.deployment, responseId } });
}

function permitFor(
  caller: Caller,
  request: ModelRequest,
  surface: Surface,
  boundTo: Subject["boundTo"],
  ports: ExchangePorts,
  atMs: number,
): Decision<Permit> {
  const world = ports.world();
  const model = world.catalogue.modelNames.get(request.model);
  if (model === undefined) return refuse({ kind: "model_not_found", model: request.model });
  const scope = checkScope(caller, model, surface);
  if (!scope.ok) return scope;
  const permit = authorise({ tenant: caller.tenant, modelName: request.model, surface }, world.policy, world.catalogue, atMs);
  if (!permit.ok || boundTo === undefined) return permit;
  return narrow(permit.value, boundTo.deployment, boundTo.responseId);
}

interface Reserved {
  readonly states: readonly LimitState[];
  readonly refusal: Refusal | undefined;
}

async function reserve(basis: ReceiptBasis, ports: ExchangePorts): Promise<Reserved> {
  const { caller, permit, hold } = basis;
  const limits = appliedLimits(caller.entry.limits, caller.keyId, permit.model.id);
  const outcome = await ports.quota.reserve({
    id: basis.requestId,
    tenantId: caller.tenant.id,
    limits,
    hold: hold.amounts,
    leaseMs: ports.settings.leaseMs,
    intent: JSON.stringify(intentReceipt(basis)),
  });
  if (outcome.admitted) return { states: outcome.states, refusal: undefined };
  const { setting } = outcome.binding.limit;
  const common = {
    limitedBy: setting.key !== undefined ? "key" : setting.model !== undefined ? "model" : "tenant",
    limit: setting.name,
    unit: setting.unit,
    window: setting.window,
    ceiling: outcome.binding.capacity,
    asked: outcome.asked,
  } as const;
  return {
    states: outcome.states,
    refusal: outcome.neverFits
      ? { kind: "never_fits", ...common }
      : { kind: "limit_reached", ...common, remaining: outcome.binding.remaining, retryAfterMs: outcome.retryAfterMs },
  };
}

/** Keeps the store from taking back what is still in use. Most exchanges are over before it is time. */
function keepLease(basis: ReceiptBasis, ports: ExchangePorts): Cancel {
  const { leaseMs } = ports.settings;
  let cancel: Cancel;
  const renew = (): void => {
    cancel = ports.clock.after(leaseMs / 3, renew);
    ports.quota.renew(basis.caller.tenant.id, [basis.requestId], leaseMs).catch((error: unknown) => {
      ports.log.warn("a lease could not be renewed", { requestId: basis.requestId, error: errorText(error) });
    });
  };
  cancel = ports.clock.after(leaseMs / 3, renew);
  return () => cancel();
}

/** Sends an answer on as it comes, all but its last piece, and tells how it ended. */
async function relay(
  forwarded: Forwarded,
  call: ModelCall,
  reply: Reply,
  outbound: Outbound,
  life: Lifetime,
  ports: ExchangePorts,
): Promise<Outcome> {
  if (forwarded.kind === "cut") {
    const shuttingDown: Refusal = { kind: "shutting_down" };
    const timeout: Refusal = { kind: "upstream_timeout", deadline: "total" };
    if (forwarded.reason === "client_cancelled") return { end: "client_cancelled", refusal: undefined, firstByteAtMs: undefined };
    const refusal = forwarded.reason === "shutting_down" ? shuttingDown : forwarded.reason === "revoked" ? ({ kind: "revoked" } as const) : timeout;
    const end = forwarded.reason === "shutting_down" ? "deadline_passed" : forwarded.reason;
    return { end, refusal, firstByteAtMs: undefined };
  }
  if (forwarded.kind === "refused") return { end: "upstream_failed", refusal: forwarded.refusal, firstByteAtMs: undefined };
  const firstByteAtMs = ports.clock.nowMs();
  if (forwarded.kind === "faulted") return { end: "completed", refusal: undefined, firstByteAtMs };

  const { answer, deployment } = forwarded;
  reply.add(["x-strait-region", deployment.region.id, "x-strait-countries", showCountries(deployment.countries)]);
  if (!answer.whole) reply.head(answer.status, answerHeaders(answer.headers, answer.stream));
  const { keepAliveMs, lingerMs, deadlines } = ports.settings;
  const ended = await answer.relay(outbound, life, { clock: ports.clock, idleMs: deadlines.idleMs, keepAliveMs, lingerMs, keepAlive: call.dialect.keepAlive });
  const health = ports.health.of(deployment.id);
  if (ended.end === "completed") health.completed();
  else if (ended.end === "upstream_failed" || (ended.refusal?.kind === "upstream_timeout" && ended.refusal.deadline === "idle")) health.brokeOff(ports.clock.nowMs());
  return { end: ended.end, refusal: ended.refusal, firstByteAtMs };
}

/** Settles and records, once. A store that fails here has the reservation's own intent to fall back on, so nothing is lost. */
async function closeBooks(
  basis: ReceiptBasis,
  forwarded: Forwarded | undefined,
  outcome: Outcome,
  reply: Reply,
  trace: ExchangeTrace,
  ports: ExchangePorts,
): Promise<void> {
  const settling = trace.step(spanName.settle);
  // What broke before its head was sent is told as a plain error, so nothing of it was given to the client.
  const brokeUnsent = outcome.end === "upstream_failed" && reply.status === undefined;
  const settled = settle(settlementFacts(basis.hold, forwarded, brokeUnsent));
  const receipt = outcomeReceipt(basis, forwarded, outcome, settled, statusFor(forwarded, outcome, reply), ports.clock.nowMs());
  trace.set(() => receiptAttributes(receipt));
  try {
    await ports.books.close(receipt, { id: basis.requestId, tenantId: basis.caller.tenant.id, charge: settled.charge });
    settling.end();
  } catch (error) {
    ports.log.error("a receipt could not be written; its reservation will expire into one", { requestId: basis.requestId, error: errorText(error) });
    settling.fail("store_unavailable");
  }
}

/** The status that the client has seen or will see: where nothing was sent yet, `finish` sends it once the books are closed. */
function statusFor(forwarded: Forwarded | undefined, outcome: Outcome, reply: Reply): number | undefined {
  if (reply.status !== undefined) return reply.status;
  if (outcome.end === "client_cancelled") return undefined;
  if (outcome.refusal !== undefined) return reply.statusOf(outcome.refusal);
  if (forwarded?.kind === "answering") return forwarded.answer.status;
  return forwarded?.kind === "faulted" ? forwarded.status : undefined;
}

/** The last piece, once the books are closed. */
function finish(forwarded: Forwarded, outcome: Outcome, call: ModelCall, reply: Reply): Refusal | undefined {
  // Whoever left gets no end in good order: a proxy in between could take what it has for the whole answer.
  if (outcome.end === "client_cancelled") {
    reply.abandon();
    return undefined;
  }
  if (forwarded.kind === "faulted") {
    if (forwarded.status === 404 && call.stored !== undefined) return { kind: "response_not_found", id: call.stored.id };
    reply.whole(forwarded.status, ["content-type", "application/json", "x-should-retry", "false"], forwarded.body);
    return undefined;
  }
  if (forwarded.kind !== "answering") return outcome.refusal;
  const { answer } = forwarded;
  const rest = answer.remainder();
  if (reply.status === undefined) {
    // Nothing was sent yet: a whole answer goes out in one piece, and a broken one can still be a proper error.
    if (outcome.refusal !== undefined) return outcome.refusal;
    reply.whole(answer.status, answerHeaders(answer.headers, answer.stream), concat(rest));
    return undefined;
  }
  if (outcome.refusal === undefined) reply.finish(rest);
  else reply.finishBroken(rest, outcome.refusal, call.surface, answer.stream);
  return undefined;
}

function outgoingOf(call: ModelCall, request: ModelRequest, inbound: Inbound): Outgoing {
  return {
    surface: call.surface,
    stream: request.stream,
    showUsage: request.includeUsage,
    hints: readHints(inbound, request.stream),
    stored: call.stored,
    bodyFor: (upstreamModel) => (call.stored === undefined ? request.bodyFor(upstreamModel) : undefined),
  };
}

function forwardSettings(ports: ExchangePorts): ForwardSettings {
  const { deadlines, bounds, attempts, longestWaitMs } = ports.settings;
  const { clock, entropy, transport, health, credentials } = ports;
  return { clock, entropy, transport, health, credentials, deadlines, bounds, attempts, longestWaitMs };
}

/** For the operator's log: the error's own words, which hold no part of a request. */
function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
