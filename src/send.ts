/** What of an exchange goes upstream, and with what it may be tried there. */
import { readHints } from "./dialect/read-body.ts";
import type { OpenExchange } from "./open-exchange.ts";
import type { Permit } from "./policy/permit.ts";
import type { Subject } from "./subject.ts";
import { attemptSpans } from "./trace-exchange.ts";
import type { UnderWay } from "./under-way.ts";
import { forward, type ForwardSettings, type Forwarded, type Outgoing } from "./upstream/forward.ts";
import type { PermitOfModel } from "./upstream/served-place.ts";

/** Brings the request to one of the permit's deployments; where an upstream chooses the model, `permitOf` judges its choice. */
export async function send(
  subject: Subject,
  permit: Permit,
  permitOf: PermitOfModel,
  open: OpenExchange,
  exchange: UnderWay,
): Promise<Forwarded> {
  const { call, trace, life } = exchange;
  const { request } = subject;
  const watcher = attemptSpans(trace, call.surface, request.model);
  const settings = forwardSettings(permitOf, open, request.stream, exchange);
  const forwarded = await forward(permit, outgoingOf(subject, permit, exchange), life, settings, watcher);
  // No attempt comes after this: a long stream must not hold on to a long prompt.
  request.release();
  return forwarded;
}

function outgoingOf({ request }: Subject, permit: Permit, { call, inbound }: UnderWay): Outgoing {
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

function forwardSettings(permitOf: PermitOfModel, gate: OpenExchange, stream: boolean, { ports }: UnderWay): ForwardSettings {
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
