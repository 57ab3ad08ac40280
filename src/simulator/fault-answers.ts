import type { Entropy } from "../clock.ts";
import type { HeaderList } from "../edge.ts";
import type { SimulatedAnswer } from "./call.ts";
import type { StreamError } from "./exchange.ts";
import type { FaultOf } from "./faults.ts";

interface RetryAdvice {
  readonly retryAfterSeconds?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

export function retryHeaders({ retryAfterSeconds, retryAfterMs }: RetryAdvice, defaultSeconds?: number): HeaderList {
  const seconds = retryAfterSeconds ?? (retryAfterMs === undefined ? defaultSeconds : undefined);
  return [
    ...(retryAfterMs === undefined ? [] : ["retry-after-ms", String(retryAfterMs)]),
    ...(seconds === undefined ? [] : ["retry-after", String(seconds)]),
  ];
}

/** The type that goes with the code in refusals seen inside a stream. */
export function refusalError({ code = "rate_limit_exceeded", message }: FaultOf<"refusal-200">): StreamError {
  return {
    type: code === "rate_limit_exceeded" ? "too_many_requests" : code,
    code,
    message: message ?? `Simulated fault: ${code}. Your requests to the deployment have exceeded its limit.`,
  };
}

export function redirectAnswer({ status = 307, location }: FaultOf<"redirect">, regionId: string): SimulatedAnswer {
  return {
    status,
    headers: ["location", location, "x-strait-simulated", regionId, "content-length", "0"],
    body: new Uint8Array(0),
  };
}

/** Status 200 and a body that is neither JSON nor server-sent events, under the content type of what was asked for. */
export function garbageAnswer(stream: boolean, regionId: string, entropy: Entropy): SimulatedAnswer {
  const page = new TextEncoder().encode("<!doctype html><title>502</title>\n{not json");
  const noise = entropy.bytes(64);
  const body = new Uint8Array(page.length + noise.length);
  body.set(page);
  body.set(noise, page.length);
  return {
    status: 200,
    headers: [
      "content-type",
      stream ? "text/event-stream" : "application/json",
      "x-strait-simulated",
      regionId,
      "content-length",
      String(body.length),
    ],
    body,
  };
}
