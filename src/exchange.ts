/**
 * One exchange, from a client's request to its receipt:
 *
 *     authenticate → read → authorise → reserve → choose and forward → relay → settle and record
 *
 * Each step may refuse; the first refusal is the answer. From the reservation on, whatever happens, the books are
 * closed exactly once, and before the client can know that its answer is complete.
 */
import type { Cancel } from "./clock.ts";
import { closeBooks } from "./close-books.ts";
import { allow, refuse, type Decision } from "./decision.ts";
import { degradedHeaders, finish, relay } from "./deliver.ts";
import type { Inbound, Outbound } from "./edge.ts";
import type { ExchangePorts, ModelCall } from "./exchange-ports.ts";
import { keepLease } from "./keep-lease.ts";
import type { Outcome, ReceiptBasis } from "./ledger/make-receipt.ts";
import type { RefusalBasis } from "./ledger/make-refusal.ts";
import { Lifetime } from "./lifetime.ts";
import { OpenExchange, type RaiseAlarm } from "./open-exchange.ts";
import { unreadInputs } from "./policy/decision-inputs.ts";
import { estimate } from "./quota/estimate.ts";
import { StoreUnavailable } from "./quota/store.ts";
import type { Refusal } from "./refusal.ts";
import { Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import { namesOf, reserve } from "./reserve.ts";
import { send } from "./send.ts";
import { permitFor, permitOfModel, readSubject, type Subject } from "./subject.ts";
import { authenticate, credentialsOf, type Caller } from "./tenant/authenticate.ts";
import { digestBody } from "./tenant/digest-body.ts";
import type { OpenDigestKey } from "./tenant/digest-key.ts";
import { endUserHash } from "./tenant/end-user.ts";
import { ExchangeTrace } from "./trace.ts";
import { callerAttributes, deniedAttributes, limitAttributes, permitAttributes, requestAttributes } from "./trace-exchange.ts";
import { attribute, placeMismatchEvent, spanName } from "./trace-names.ts";
import { recordRefusal, turnDown } from "./turn-down.ts";
import { errorText, type UnderWay } from "./under-way.ts";
import type { Forwarded } from "./upstream/forward.ts";
import type { PermitOfModel } from "./upstream/served-place.ts";

export async function exchange(call: ModelCall, inbound: Inbound, outbound: Outbound, ports: ExchangePorts): Promise<void> {
  const reply = new Reply(outbound, call.dialect, requestId(ports.entropy, ports.clock), ports.clock);
  const trace = ExchangeTrace.start(ports.tracer, inbound.method, call.route, inbound.header("traceparent"));
  const life = new Lifetime();
  const stopDraining = cutAfterHangUp(inbound, life, ports);
  const stopDeadline = ports.clock.after(ports.settings.deadlines.totalMs, () => life.cut("deadline_passed"));
  let errorType: string | undefined;
  try {
    const underWay: UnderWay = { call, inbound, outbound, ports, reply, trace, life };
    const admitted = await admit(underWay);
    const refusal = admitted.ok ? await serve(admitted.value, underWay) : admitted.refusal;
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

/** A request that may go upstream: permitted, its worst case held. From here on it has books to close. */
interface Admitted {
  readonly subject: Subject;
  readonly digestKey: OpenDigestKey;
  readonly basis: ReceiptBasis;
  readonly permitOf: PermitOfModel;
}

/** Who asks, for what, where it may run, and whether it fits into the limits. */
async function admit(exchange: UnderWay): Promise<Decision<Admitted>> {
  const { call, inbound, ports, reply, trace } = exchange;
  const startedAtMs = ports.clock.nowMs();
  const heard = ports.revocations.hear();

  const authenticating = trace.step(spanName.authenticate);
  const caller = await authenticate(credentialsOf(inbound), ports);
  authenticating.end(caller.ok ? undefined : caller.refusal);
  if (!caller.ok) {
    const { refusal, caller: who } = caller;
    if (who === undefined) return refuse(refusal);
    const stopped = basisOf(who, startedAtMs, exchange);
    // The policy says the same, whatever is asked: so its record can be decided again.
    if (refusal.kind === "tenant_not_verified") stopped.inputs = unreadInputs(who.tenant, call.surface, startedAtMs);
    return refuse(await turnDown(refusal, stopped, exchange));
  }
  const { tenant } = caller.value;
  // What a refusal's record will say: each step adds what it learns.
  const known = basisOf(caller.value, startedAtMs, exchange);
  trace.set(() => callerAttributes(caller.value));
  const digestKey = await ports.digestKeys.current(tenant);

  const subject = await readSubject(call, inbound, ports, caller.value, (body) => {
    known.requestDigest = digestBody(body, digestKey, ports.hashes);
    known.digestKeyId = digestKey.id;
  });
  if (!subject.ok) return refuse(await turnDown(subject.refusal, known, exchange));
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
  const decided = permit.ok ? permit.value : permit;
  known.world = world;
  known.inputs = decided.inputs;
  known.refused = decided.refused;
  if (!permit.ok) return refuse(await turnDown(permit.refusal, known, exchange));
  known.permit = permit.value;
  reply.add(degradedHeaders(permit.value));

  const reserving = trace.step(spanName.reserve);
  const hold = estimate(request, permit.value, startedAtMs, tenant.holds === "learned" ? ports.learning : undefined);
  const { requestDigest, endUser } = known;
  const basis: ReceiptBasis = {
    ...known,
    request,
    permit: permit.value,
    hold,
    requestDigest,
    digestKeyId: digestKey.id,
    endUser,
  };
  const reserved = await reserve(basis, ports);
  reply.add(call.dialect.rateHeaders(reserved.states, ports.clock.nowMs()));
  reserving.set({ [attribute.heldTokens]: hold.amounts.tokens, [attribute.heldMicroUsd]: hold.amounts.microUsd });
  if (trace.recording) reserving.set(limitAttributes(reserved));
  reserving.end(reserved.refusal);
  if (reserved.refusal !== undefined) return refuse(await recordRefusal(reserved.refusal, known, exchange));
  return allow({
    subject: subject.value,
    digestKey,
    basis: reserved.shadowed.length === 0 ? basis : { ...basis, shadowedLimits: namesOf(reserved.shadowed) },
    permitOf: permitOfModel(caller.value, subject.value, call.surface, world, ports.revocations, decidedAtMs),
  });
}

/** To an upstream and back, and into the books. A refusal returned is sent by the caller; `undefined`: the answer is sent. */
async function serve({ subject, digestKey, basis, permitOf }: Admitted, exchange: UnderWay): Promise<Refusal | undefined> {
  const { life, ports, reply } = exchange;
  const { caller, permit } = basis;
  const open = new OpenExchange(caller, permit.model, life, ports.revocations, alarmOf(exchange));
  ports.open.add(basis.requestId, open);
  const stopRenewing = keepLease(caller.tenant.id, basis.requestId, ports);
  let forwarded: Forwarded | undefined;
  let outcome: Outcome = { end: "upstream_failed", refusal: { kind: "internal" }, firstByteAtMs: undefined };
  let isTold = false;
  try {
    forwarded = await send(subject, permit, permitOf, open, exchange);
    outcome = await relay(forwarded, open, digestKey, exchange);
    // What is revoked ends now: its client is owed no receipt first, and the books may be slow or away.
    isTold = outcome.end === "revoked" && reply.status !== undefined;
    if (isTold) {
      finish(forwarded, outcome, exchange);
      open.close();
      await ports.revocations.othersCut();
    }
  } catch (error) {
    // Nobody reads the answer any more: left alone, it would gather in memory for as long as the upstream sends.
    if (forwarded?.kind === "answering") forwarded.answer.abandon();
    throw error;
  } finally {
    stopRenewing();
    outcome = await closeBooks(basis, forwarded, outcome, exchange);
    await open.alarmed();
  }
  return isTold ? undefined : finish(forwarded, outcome, exchange);
}

function basisOf(caller: Caller, startedAtMs: number, { call, ports, reply, trace }: UnderWay): RefusalBasis {
  return {
    requestId: reply.requestId,
    caller,
    dialect: call.dialect.name,
    surface: call.surface,
    gatewayPlace: ports.settings.gatewayPlace,
    traceId: trace.traceId,
    startedAtMs,
  };
}

function alarmOf({ ports, reply, trace }: UnderWay): RaiseAlarm {
  return (deployment, outcome, mismatch) => {
    trace.event(placeMismatchEvent, {
      [attribute.deployment]: deployment.id,
      [attribute.outcome]: outcome,
      [attribute.mismatch]: mismatch,
    });
    return ports.placeAlarm.raise(deployment, outcome, mismatch, reply.requestId);
  };
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
