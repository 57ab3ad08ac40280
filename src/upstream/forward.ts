import { sleep, type Entropy } from "../clock.ts";
import type { Decision } from "../decision.ts";
import type { HeaderList } from "../edge.ts";
import { attemptRecord } from "./attempt-record.ts";
import { misplaced, type Attempt as AttemptRecord } from "./record.ts";
import type { CutReason, Lifetime } from "../lifetime.ts";
import { assertPermitted } from "../policy/authorise.ts";
import type { Permit } from "../policy/permit.ts";
import type { Refusal } from "../refusal.ts";
import type { Deployment, Surface } from "../region/catalogue.ts";
import { choose, waitMs } from "../routing/choose.ts";
import type { Health } from "../routing/health.ts";
import { upstreamRequest, type Credentials, type StoredResponse } from "./address.ts";
import { type ClientHints } from "../dialect/client-hints.ts";
import type { Answer } from "./answer.ts";
import { withdrawnInReach } from "./reach.ts";
import { ServedPlace, type PermitOfModel, type ServingGate } from "./served-place.ts";
import type { AttemptFailure, AttemptResult } from "./attempt-result.ts";
import { attempt, type AttemptSettings } from "./attempt.ts";

/** The deployment that really served, where it is not the one that was asked; what an exchange costs and shows is that one's. */
export function servedBy(forwarded: Forwarded | undefined): Deployment | undefined {
  return forwarded?.kind === "answering" ? forwarded.answer.place.served : forwarded?.deployment;
}

/** What goes upstream, whichever deployment it goes to. */
export interface Outgoing {
  readonly surface: Surface;
  readonly stream: boolean;
  readonly showUsage: boolean;
  readonly hints: ClientHints;
  readonly stored: StoredResponse | undefined;
  /** The body for an upstream that calls the model so. */
  bodyFor(upstreamModel: string): Uint8Array | undefined;
}

/** Asked before each attempt, since what was permitted may be so no longer. */
export interface AttemptGate {
  /** What is left of the permit now. */
  standing(permit: Permit): Decision<Permit>;
  /** From this very turn on this deployment works on it: the request is about to leave for it, or it answers in another's place. */
  workedOnBy(deployment: Deployment): void;
  /** The upstream was not what is declared of this deployment; nothing of this exchange is there any more. */
  mismatched(deployment: Deployment, outcome: string, mismatch: string): void;
}

export interface ForwardSettings extends AttemptSettings {
  readonly gate: AttemptGate;
  readonly permitOf: PermitOfModel;
  readonly entropy: Entropy;
  readonly health: Health;
  readonly credentials: Credentials;
  /** The most attempts for one request. */
  readonly attempts: number;
  /** The longest that an upstream's `retry-after` is waited for when nothing else is left. */
  readonly longestWaitMs: number;
}

/** Watches attempts, for spans. */
export interface AttemptWatcher {
  began(deployment: Deployment, number: number): void;
  ended(deployment: Deployment, record: AttemptRecord): void;
}

export type Forwarded = {
  readonly attempts: readonly AttemptRecord[];
  /** The deployment tried last; `undefined` where none was. */
  readonly deployment: Deployment | undefined;
  /** Whether any upstream may have worked on the request. */
  readonly reached: boolean;
  readonly upstreamRequestId: string | undefined;
} & (
  | { readonly kind: "answering"; readonly deployment: Deployment; readonly answer: Answer }
  | { readonly kind: "faulted"; readonly status: number; readonly headers: HeaderList; readonly body: Uint8Array }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly status: number | undefined }
  | { readonly kind: "cut"; readonly reason: CutReason }
);

/**
 * Brings a request to one of the permit's deployments, and to no other: tries the next one while nothing was generated
 * for it and the budget lasts. Knows no deployment but the permit's, so a retry cannot leave it.
 */
export async function forward(
  given: Permit,
  outgoing: Outgoing,
  life: Lifetime,
  settings: ForwardSettings,
  watcher: AttemptWatcher | undefined,
): Promise<Forwarded> {
  const records: AttemptRecord[] = [];
  const tried = new Set<string>();
  let reached = false;
  let last: Deployment | undefined;
  let failure: AttemptFailure | undefined;
  let permit = given;
  let withdrawn: Refusal | undefined;

  while (records.length < settings.attempts) {
    // Nothing new begins for a client that is gone.
    if (life.left) life.cut("client_cancelled");
    if (life.reason !== undefined) break;
    const nowMs = settings.clock.nowMs();
    const standing = settings.gate.standing(given);
    if (!standing.ok) {
      withdrawn = standing.refusal;
      break;
    }
    permit = standing.value;
    const deployment = choose(permit, settings.health, tried, settings.entropy, nowMs);
    if (deployment === undefined) {
      if (await waitForOne(permit, tried, life, settings)) continue;
      if (life.reason === undefined && last !== undefined && staleConnection(failure, records) && tried.delete(last.id)) continue;
      break;
    }
    tried.add(deployment.id);
    const credential = settings.credentials(deployment.region);
    if (credential === undefined) {
      // Known at start, so it is not tried again and again: out of the way for as long as the breaker allows.
      settings.health.of(deployment.id).busy(nowMs, 60_000);
      continue;
    }
    assertPermitted(permit, deployment);
    last = deployment;
    settings.gate.workedOnBy(deployment);
    watcher?.began(deployment, records.length + 1);
    const body = outgoing.bodyFor(deployment.upstreamName);
    const request = upstreamRequest(deployment, outgoing.surface, body, outgoing.hints, credential, outgoing.stored);
    const health = settings.health.of(deployment.id);
    health.breaker.begin(nowMs);
    const place = new ServedPlace(deployment, outgoing.surface, servingGate(given, settings));
    const result = await attempt(request, outgoing.surface, outgoing.showUsage, place, life, settings);
    const endedAtMs = settings.clock.nowMs();
    judgeHealth(result, health, nowMs, endedAtMs);
    const record = attemptRecord(deployment, result, nowMs, endedAtMs);
    records.push(record);
    watcher?.ended(deployment, record);

    const common = { attempts: records, deployment, reached: true, upstreamRequestId: record.upstreamRequestId };
    switch (result.kind) {
      case "answering":
        return { ...common, kind: "answering", answer: result.answer };
      case "faulted":
        return { ...common, ...result };
      case "cut":
        return { ...common, kind: "cut", reason: result.reason, reached: reached || result.reached };
      case "failed":
        failure = result.failure;
        reached ||= failure.reached;
        if (failure.mismatch !== undefined) settings.gate.mismatched(deployment, failure.outcome, failure.mismatch);
        if (!failure.elsewhere) break;
        continue;
    }
    break;
  }
  if (life.reason !== undefined) {
    return { kind: "cut", reason: life.reason, attempts: records, deployment: last, reached, upstreamRequestId: undefined };
  }
  if (failure === undefined)
    withdrawn ??= withdrawnInReach(given, (permit) => settings.gate.standing(permit), settings.credentials);
  // Where nothing is left because of what this very request found, that is what its client is told.
  const found = failure?.outcome === misplaced && withdrawn?.kind === "quarantined";
  const refusal = (found ? undefined : withdrawn) ?? refusalOf(failure, waitMs(permit, settings.health, settings.clock.nowMs()));
  const status = failure?.status;
  return {
    kind: "refused",
    refusal,
    status,
    attempts: records,
    deployment: last,
    reached,
    upstreamRequestId: failure?.upstreamRequestId,
  };
}

function servingGate(given: Permit, { gate, permitOf }: ForwardSettings): ServingGate {
  return {
    permitOf,
    standing() {
      const standing = gate.standing(given);
      return standing.ok ? standing.value : undefined;
    },
    serving: (deployment) => gate.workedOnBy(deployment),
  };
}

/**
 * An idle connection that the upstream was just closing breaks without a word. Where nothing else is left, the same
 * deployment is worth a second try on a fresh connection, once.
 */
function staleConnection(failure: AttemptFailure | undefined, records: readonly AttemptRecord[]): boolean {
  return (
    failure?.outcome === "reset" &&
    failure.status === undefined &&
    records.filter((record) => record.outcome === "reset").length === 1
  );
}

/**
 * All that could be tried was tried or rests: where one rests no longer than the client would gladly wait, the wait is
 * cheaper than the client's own retry. Tried ones may then be tried again.
 */
async function waitForOne(permit: Permit, tried: Set<string>, life: Lifetime, settings: ForwardSettings): Promise<boolean> {
  const delayMs = waitMs(permit, settings.health, settings.clock.nowMs(), tried);
  if (delayMs <= 0 || delayMs > settings.longestWaitMs) return false;
  const aborter = new AbortController();
  life.onCut(() => aborter.abort());
  await sleep(settings.clock, delayMs, aborter.signal);
  life.onCut(undefined);
  if (life.reason !== undefined) return false;
  tried.clear();
  return true;
}

function judgeHealth(result: AttemptResult, health: ReturnType<Health["of"]>, startedAtMs: number, endedAtMs: number): void {
  switch (result.kind) {
    case "answering":
      return health.answered(endedAtMs - startedAtMs);
    case "faulted":
      return health.refusedRequest();
    case "cut":
      return health.breaker.withdrawn(startedAtMs);
    case "failed":
      if (result.failure.busyMs !== undefined) return health.busy(endedAtMs, result.failure.busyMs, startedAtMs);
      return health.failed(endedAtMs);
  }
}

/** What the client is told when nothing answered: the last failure, without the upstream's own words. */
function refusalOf(failure: AttemptFailure | undefined, waitForMs: number): Refusal {
  const retryAfterMs = Math.max(1_000, Number.isFinite(waitForMs) ? waitForMs : 1_000);
  if (failure === undefined) return { kind: "no_deployment_available", retryAfterMs };
  if (failure.busyMs !== undefined) return { kind: "upstream_busy", retryAfterMs };
  if (failure.deadline !== undefined) return { kind: "upstream_timeout", deadline: failure.deadline };
  if (failure.outcome === "cut_off") return { kind: "upstream_cut_off" };
  if (failure.outcome === misplaced) return { kind: "place_mismatch" };
  if (failure.outcome === "connection_refused")
    return {
      kind: "upstream_failed",
      detail: "its address or its key is not the one that is declared, so nothing was sent to it",
    };
  if (failure.status !== undefined) return { kind: "upstream_failed", detail: `it answered with status ${failure.status}` };
  return {
    kind: "upstream_failed",
    detail: failure.outcome === "connect" ? "it could not be reached" : "it broke the connection off",
  };
}
