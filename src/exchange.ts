/**
 * One exchange, from a client's request to its receipt:
 *
 *     authenticate → read → authorise → reserve → choose and forward → relay → settle and record
 *
 * Each step may refuse; the first refusal is the answer. From the reservation on, whatever happens, the books are
 * closed exactly once, and before the client can know that its answer is complete.
 */
import type { Cancel } from "./clock.ts";
import { degradedHeaders, finish, relay, statusFor } from "./deliver.ts";
import { digestBody } from "./tenant/digest-body.ts";
import type { ModelRequest } from "./dialect/model-request.ts";
import { readHints } from "./dialect/read-body.ts";
import type { Inbound, Outbound } from "./edge.ts";
import type { ExchangePorts, ModelCall } from "./exchange-ports.ts";
import type { RefusalBasis } from "./ledger/make-refusal.ts";
import { outcomeReceipt, settlementFacts, type Outcome, type ReceiptBasis } from "./ledger/make-receipt.ts";
import { settle } from "./ledger/settlement.ts";
import { Lifetime } from "./lifetime.ts";
import type { Permit } from "./policy/permit.ts";
import { estimate } from "./quota/estimate.ts";
import { StoreUnavailable } from "./quota/store.ts";
import type { Refusal } from "./refusal.ts";
import { Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import { namesOf, reserve } from "./reserve.ts";
import { recordRefusal, turnDown } from "./turn-down.ts";
import { OpenExchange, type RaiseAlarm } from "./open-exchange.ts";
import { permitFor, permitOfModel, readSubject } from "./subject.ts";
import { authenticate, credentialsOf, type Caller } from "./tenant/authenticate.ts";
import { endUserHash } from "./tenant/end-user.ts";
import { ExchangeTrace } from "./trace.ts";
import {
  attemptSpans,
  callerAttributes,
  deniedAttributes,
  limitAttributes,
  permitAttributes,
  receiptAttributes,
  requestAttributes,
} from "./trace-exchange.ts";
import { attribute, placeMismatchEvent, spanName } from "./trace-names.ts";
import { forward, type AttemptGate, type ForwardSettings, type Forwarded, type Outgoing } from "./upstream/forward.ts";
import type { PermitOfModel } from "./upstream/served-place.ts";

export async function exchange(call: ModelCall, inbound: Inbound, outbound: Outbound, ports: ExchangePorts): Promise<void> {
  const reply = new Reply(outbound, call.dialect, requestId(ports.entropy, ports.clock), ports.clock);
  const trace = ExchangeTrace.start(ports.tracer, inbound.method, call.route, inbound.header("traceparent"));
  const life = new Lifetime();
  const stopDraining = cutAfterHangUp(inbound, life, ports);
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
    stopDraining();
    ports.open.delete(reply.requestId);
    trace.set(() => ({
      [attribute.requestId]: reply.requestId,
      [attribute.dialect]: call.dialect.name,
      [attribute.urlPath]: inbound.path,
    }));
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
  const heard = ports.revocations.hear();

  const basisOf = (caller: Caller): RefusalBasis => ({
    requestId: reply.requestId,
    caller,
    dialect: call.dialect.name,
    surface: call.surface,
    gatewayPlace: ports.settings.gatewayPlace,
    traceId: trace.traceId,
    startedAtMs,
  });

  const authenticating = trace.step(spanName.authenticate);
  const caller = await authenticate(credentialsOf(inbound), ports);
  authenticating.end(caller.ok ? undefined : caller.refusal);
  if (!caller.ok) {
    const { refusal, caller: who } = caller;
    return who === undefined ? refusal : turnDown(refusal, basisOf(who), call.dialect, reply, ports);
  }
  const { tenant } = caller.value;
  const known = basisOf(caller.value);
  trace.set(() => callerAttributes(caller.value));

  const subject = await readSubject(call, inbound, ports, caller.value, (body) => {
    known.requestDigest = digestBody(body, tenant, ports);
  });
  if (!subject.ok) return turnDown(subject.refusal, known, call.dialect, reply, ports);
  const { request } = subject.value;
  known.request = request;
  known.endUser = request.endUser === undefined ? undefined : endUserHash(tenant, request.endUser, ports.sha256);
  trace.set(() => requestAttributes(call.surface, request));

  const authorising = trace.step(spanName.authorise);
  if (heard !== undefined) await heard;
  // What holds now decides, and not what held at the first byte: a slow body must not keep an old policy alive.
  const decidedAtMs = ports.clock.nowMs();
  const world = ports.world(decidedAtMs);
  const permit = permitFor(caller.value, subject.value, call.surface, world, ports, decidedAtMs);
  if (trace.recording) authorising.set(permit.ok ? permitAttributes(permit.value) : deniedAttributes(permit.inputs, world));
  authorising.end(permit.ok ? undefined : permit.refusal);
  known.inputs = permit.ok ? permit.value.inputs : permit.inputs;
  if (!permit.ok) return turnDown(permit.refusal, known, call.dialect, reply, ports);
  known.permit = permit.value;
  reply.add(degradedHeaders(permit.value));

  const reserving = trace.step(spanName.reserve);
  const hold = estimate(request, permit.value, startedAtMs, tenant.holds === "learned" ? ports.learning : undefined);
  const { requestDigest, endUser } = known;
  const asked: ReceiptBasis = { ...known, request, permit: permit.value, hold, requestDigest, endUser };
  const reserved = await reserve(asked, ports);
  reply.add(call.dialect.rateHeaders(reserved.states, ports.clock.nowMs()));
  reserving.set({ [attribute.heldTokens]: hold.amounts.tokens, [attribute.heldMicroUsd]: hold.amounts.microUsd });
  if (trace.recording) reserving.set(limitAttributes(reserved));
  reserving.end(reserved.refusal);
  if (reserved.refusal !== undefined) return recordRefusal(reserved.refusal, known, reply, ports);
  const basis: ReceiptBasis = reserved.shadowed.length === 0 ? asked : { ...asked, shadowedLimits: namesOf(reserved.shadowed) };

  const open = new OpenExchange(
    caller.value,
    permit.value.model,
    life,
    ports.revocations,
    alarmOf(reply.requestId, trace, ports),
  );
  ports.open.add(reply.requestId, open);
  const stopRenewing = keepLease(basis, ports);
  let forwarded: Forwarded | undefined;
  let unwritten: Refusal | undefined;
  let told = false;
  let outcome: Outcome = { end: "upstream_failed", refusal: { kind: "internal" }, firstByteAtMs: undefined };
  try {
    const outgoing = outgoingOf(call, request, permit.value, inbound);
    forwarded = await forward(
      permit.value,
      outgoing,
      life,
      forwardSettings(
        ports,
        open,
        permitOfModel(caller.value, subject.value, call.surface, world, ports.revocations, decidedAtMs),
        request.stream,
      ),
      attemptSpans(trace, call.surface, request.model),
    );
    // No attempt comes after this: a long stream must not hold on to a long prompt.
    request.release();
    outcome = await relay(forwarded, call, reply, outbound, open, tenant, ports);
    // What is revoked ends now: its client is owed no receipt first, and the books may be slow or away.
    told = outcome.end === "revoked" && reply.status !== undefined;
    if (told) {
      finish(forwarded, outcome, call, reply);
      open.close();
    }
  } catch (error) {
    // Nobody reads the answer any more: left alone, it would gather in memory for as long as the upstream sends.
    if (forwarded?.kind === "answering") forwarded.answer.abandon();
    throw error;
  } finally {
    stopRenewing();
    unwritten = await closeBooks(basis, forwarded, outcome, reply, trace, ports);
    await open.alarmed();
  }
  if (told) return undefined;
  return finish(forwarded, unwritten === undefined ? outcome : { ...outcome, refusal: unwritten }, call, reply);
}

/** A client that hangs up ends the exchange, once its answer has had a moment to tell what it used. */
function cutAfterHangUp(inbound: Inbound, life: Lifetime, { clock, settings }: ExchangePorts): Cancel {
  let cancel: Cancel | undefined;
  let over = false;
  inbound.onHangUp(() => {
    life.leave();
    if (settings.hangUpDrainMs === 0) life.cut("client_cancelled");
    else if (!over) cancel = clock.after(settings.hangUpDrainMs, () => life.cut("client_cancelled"));
  });
  return () => {
    over = true;
    cancel?.();
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

/**
 * Settles and records, once. A store that fails here has the reservation's own intent to fall back on, so nothing is lost;
 * the client is refused the end of its answer, because nothing is served without its record.
 */
async function closeBooks(
  basis: ReceiptBasis,
  forwarded: Forwarded | undefined,
  outcome: Outcome,
  reply: Reply,
  trace: ExchangeTrace,
  ports: ExchangePorts,
): Promise<Refusal | undefined> {
  const settling = trace.step(spanName.settle);
  // What broke before its head was sent is told as a plain error, so nothing of it was given to the client.
  const brokeUnsent = outcome.end === "upstream_failed" && reply.status === undefined;
  const settled = settle(settlementFacts(basis, forwarded, brokeUnsent));
  const receipt = outcomeReceipt(basis, forwarded, outcome, settled, statusFor(forwarded, outcome, reply), ports.clock.nowMs());
  trace.set(() => receiptAttributes(receipt));
  if (settled.usageSource === "reported" && outcome.end === "completed") {
    ports.learning?.learn(basis.caller.tenant.id, basis.permit.model.id, basis.request, settled.usage);
  }
  try {
    await ports.books.close(receipt, { id: basis.requestId, tenantId: basis.caller.tenant.id, charge: settled.charge });
    settling.end();
    return undefined;
  } catch (error) {
    ports.log.error("a receipt could not be written; its reservation will expire into one", {
      requestId: basis.requestId,
      error: errorText(error),
    });
    settling.fail("store_unavailable");
    return { kind: "store_unavailable", retryAfterMs: 1_000 };
  }
}

function alarmOf(requestId: string, trace: ExchangeTrace, ports: ExchangePorts): RaiseAlarm {
  return (deployment, outcome, mismatch) => {
    trace.event(placeMismatchEvent, {
      [attribute.deployment]: deployment.id,
      [attribute.outcome]: outcome,
      [attribute.mismatch]: mismatch,
    });
    return ports.placeAlarm.raise(deployment, outcome, mismatch, requestId);
  };
}

function outgoingOf(call: ModelCall, request: ModelRequest, permit: Permit, inbound: Inbound): Outgoing {
  const withoutLogProbabilities = permit.degradations.some(({ without }) => without === "log_probabilities");
  return {
    surface: call.surface,
    stream: request.stream,
    showUsage: request.includeUsage,
    hints: readHints(inbound, request.stream),
    stored: call.stored,
    bodyFor: (upstreamModel) => (call.stored === undefined ? request.bodyFor(upstreamModel, withoutLogProbabilities) : undefined),
  };
}

function forwardSettings(ports: ExchangePorts, gate: AttemptGate, permitOf: PermitOfModel, stream: boolean): ForwardSettings {
  const { deadlines, bounds, attempts, longestWaitMs } = ports.settings;
  const { clock, entropy, transport, health, credentials } = ports;
  // A whole answer's first byte comes when all of it was generated: to give it up early is to pay for it again elsewhere.
  const firstByteMs = stream ? deadlines.firstByteMs : deadlines.totalMs;
  return {
    clock,
    entropy,
    transport,
    health,
    credentials,
    gate,
    permitOf,
    deadlines: { ...deadlines, firstByteMs },
    bounds,
    attempts,
    longestWaitMs,
  };
}

/** For the operator's log: the error's own words, which hold no part of a request. */
function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
