import { showCountries } from "../region/country.ts";
import type { Deployment } from "../region/catalogue.ts";
import { endpointHost } from "../region/endpoint-host.ts";
import type { AttemptResult } from "./attempt-result.ts";
import { upstreamRequestId } from "./attempt.ts";
import type { Connection } from "./check-address.ts";
import type { Attempt as AttemptRecord } from "./record.ts";

/** What a receipt says of an attempt; both instants in milliseconds since the epoch. */
export function attemptRecord(
  deployment: Deployment,
  result: AttemptResult,
  startedAtMs: number,
  endedAtMs: number,
): AttemptRecord {
  return {
    deployment: deployment.id,
    endpointHost: endpointHost(deployment.region),
    sku: deployment.sku,
    countries: showCountries(deployment.countries),
    startedAtMs,
    endedAtMs,
    ...outcomeOf(result),
    upstreamRequestId: requestIdOf(result),
    ...connectionFacts(result.connection),
    ...(result.kind === "failed" && result.failure.mismatch !== undefined ? { mismatch: result.failure.mismatch } : {}),
  };
}

function requestIdOf(result: AttemptResult): string | undefined {
  switch (result.kind) {
    case "answering":
      return upstreamRequestId(result.answer.headers);
    case "faulted":
      return upstreamRequestId(result.headers);
    case "failed":
      return result.failure.upstreamRequestId;
    case "cut":
      return undefined;
  }
}

function connectionFacts(connection: Connection | undefined): Partial<AttemptRecord> {
  if (connection === undefined) return {};
  const { address, check, country } = connection;
  return {
    addressCheck: check,
    ...(address === undefined ? {} : { connectedAddress: address }),
    ...(country === undefined ? {} : { addressCountry: country }),
  };
}

function outcomeOf(result: AttemptResult): Pick<AttemptRecord, "status" | "outcome"> {
  switch (result.kind) {
    case "answering":
      return { status: result.answer.status, outcome: "answered" };
    case "faulted":
      return { status: result.status, outcome: "request_at_fault" };
    case "failed":
      return { status: result.failure.status, outcome: result.failure.outcome };
    case "cut":
      return { status: undefined, outcome: result.reason };
  }
}
