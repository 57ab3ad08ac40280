/** The way of an answer to the client: all but its last piece while it comes, and the last once the books are closed. */
import { concat } from "./bytes.ts";
import type { HeaderList } from "./edge.ts";
import type { ModelCall } from "./exchange-ports.ts";
import type { Outcome } from "./ledger/make-receipt.ts";
import type { OpenExchange } from "./open-exchange.ts";
import type { Permit } from "./policy/permit.ts";
import { isWithdrawal, type Refusal } from "./refusal.ts";
import type { Deployment } from "./region/catalogue.ts";
import { showCountries } from "./region/country.ts";
import { answerHeaders, type Reply } from "./reply.ts";
import type { DeploymentHealth } from "./routing/health.ts";
import { digestBody, showDigest } from "./tenant/digest-body.ts";
import type { OpenDigestKey } from "./tenant/digest-key.ts";
import type { UnderWay } from "./under-way.ts";
import type { Answer } from "./upstream/answer.ts";
import { misplaced } from "./upstream/record.ts";
import { endOfCut, type BodyEnd } from "./upstream/body.ts";
import { servedBy, type Forwarded } from "./upstream/forward.ts";

/** Sends an answer on as it comes, all but its last piece, and tells how it ended. */
export async function relay(
  forwarded: Forwarded,
  open: OpenExchange,
  digestKey: OpenDigestKey,
  { call, life, outbound, ports, reply }: UnderWay,
): Promise<Outcome> {
  if (forwarded.kind === "cut") return { ...endOfCut(forwarded.reason, life.revokedBy), firstByteAtMs: undefined };
  if (forwarded.kind === "refused") {
    const { refusal } = forwarded;
    return { end: isWithdrawal(refusal) ? "revoked" : "upstream_failed", refusal, firstByteAtMs: undefined };
  }
  const firstByteAtMs = ports.clock.nowMs();
  reply.add(placeHeaders(servedBy(forwarded)));
  if (forwarded.kind === "faulted") {
    // Of a response that is not stored there, the client is told in the gateway's own words.
    if (isMissing(forwarded, call)) return { end: "completed", refusal: undefined, firstByteAtMs };
    const answerDigest = digestBody(forwarded.body, digestKey, ports.hashes);
    return { end: "completed", refusal: undefined, answerDigest, firstByteAtMs };
  }
  const { answer, deployment } = forwarded;
  if (!answer.whole) reply.head(answer.status, answerHeaders(answer.headers, answer.stream));
  const { keepAliveMs, lingerMs, deadlines } = ports.settings;
  const digest = ports.hashes.keyedDigest(digestKey.key);
  const ended = await answer.relay(outbound, life, {
    clock: ports.clock,
    idleMs: deadlines.idleMs,
    keepAliveMs,
    lingerMs,
    keepAlive: call.dialect.keepAlive,
    digest,
  });
  const { mismatch } = answer.place;
  if (mismatch !== undefined) open.mismatched(deployment, misplaced, mismatch);
  reportHealth(ended, ports.health.of(deployment.id), ports.clock.nowMs());
  // It came to its end while nobody listened any more.
  const hasLeft = life.left && ended.end === "completed";
  const outcome: BodyEnd = hasLeft ? { end: "client_cancelled", refusal: undefined } : ended;
  const isLeft = outcome.end === "client_cancelled";
  // Of what broke before anything was sent, the client is given nothing but an error of the gateway's; who left, nothing more.
  if (reply.status === undefined && (isLeft || outcome.refusal !== undefined)) return { ...outcome, firstByteAtMs };
  if (!isLeft) for (const piece of ending(answer, outcome, call, reply)) digest.update(piece);
  return { ...outcome, answerDigest: showDigest(digest.hex()), firstByteAtMs };
}

/** That a rule lessened what was asked, and which: a client must not take one model's answer for another's. */
export function degradedHeaders({ model, degradations }: Permit): HeaderList {
  if (degradations.length === 0) return [];
  return ["x-strait-model", model.id, "x-strait-degraded-by", degradations.map(({ rule }) => rule).join(", ")];
}

/** Which region answered, and where it may have processed. */
function placeHeaders(deployment: Deployment | undefined): HeaderList {
  return deployment === undefined
    ? []
    : ["x-strait-region", deployment.region.id, "x-strait-countries", showCountries(deployment.countries)];
}

/** A deployment that begins its answers and does not end them is as ill as one that begins none. */
function reportHealth({ end, refusal }: BodyEnd, health: DeploymentHealth, nowMs: number): void {
  if (end === "completed") return health.completed();
  const idle = refusal?.kind === "upstream_timeout" && refusal.deadline === "idle";
  if (end === "upstream_failed" || idle) health.brokeOff(nowMs);
}

/** The status that the client has seen or will see: where nothing was sent yet, `finish` sends it once the books are closed. */
export function statusFor(forwarded: Forwarded | undefined, outcome: Outcome, reply: Reply): number | undefined {
  if (reply.status !== undefined) return reply.status;
  if (outcome.end === "client_cancelled") return undefined;
  if (outcome.refusal !== undefined) return reply.statusOf(outcome.refusal);
  if (forwarded?.kind === "answering") return forwarded.answer.status;
  return forwarded?.kind === "faulted" ? forwarded.status : undefined;
}

function isMissing({ status }: { readonly status: number }, call: ModelCall): boolean {
  return status === 404 && call.stored !== undefined;
}

/** The last piece, once the books are closed. */
export function finish(forwarded: Forwarded, outcome: Outcome, { call, reply }: UnderWay): Refusal | undefined {
  // Whoever left gets no end in good order: a proxy in between could take what it has for the whole answer.
  if (outcome.end === "client_cancelled") {
    reply.abandon();
    return undefined;
  }
  if (forwarded.kind === "faulted") {
    if (outcome.refusal !== undefined) return outcome.refusal;
    if (call.stored !== undefined && isMissing(forwarded, call)) return { kind: "response_not_found", id: call.stored.id };
    reply.whole(forwarded.status, ["content-type", "application/json", "x-should-retry", "false"], forwarded.body);
    return undefined;
  }
  if (forwarded.kind !== "answering") return outcome.refusal;
  const { answer } = forwarded;
  const rest = ending(answer, outcome, call, reply);
  if (reply.status === undefined) {
    // Nothing was sent yet: a whole answer goes out in one piece, and a broken one can still be a proper error.
    if (outcome.refusal !== undefined) return outcome.refusal;
    reply.whole(answer.status, answerHeaders(answer.headers, answer.stream), concat(rest));
    return undefined;
  }
  if (outcome.refusal === undefined) reply.finish(rest);
  else reply.finishBroken(rest, outcome.refusal, answer.stream);
  return undefined;
}

/** The bytes that are sent last: the rest of an answer, and of a stream that broke the event that its client's SDK raises. */
function ending(answer: Answer, { end, refusal }: BodyEnd, call: ModelCall, reply: Reply): readonly Uint8Array[] {
  if (refusal === undefined) return answer.remainder();
  // Refused although it came whole: there is no record of it. What says that it is complete would be believed.
  const rest = end === "completed" ? [] : answer.remainder();
  return answer.stream && reply.status !== undefined ? [...rest, reply.errorEvent(refusal, call.surface)] : rest;
}
