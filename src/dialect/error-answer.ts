import type { HeaderList } from "../edge.ts";
import type { Refusal, RefusalAnswer } from "../refusal.ts";
import type { ErrorAnswer } from "./dialect.ts";

const encoder = new TextEncoder();

/** An error as a whole answer: what the SDKs of every dialect read in the same way. */
export function errorAnswer(refusal: Refusal, status: number, answer: RefusalAnswer, body: unknown): ErrorAnswer {
  return { status, headers: errorHeaders(refusal, status, answer), body: encoder.encode(JSON.stringify(body)) };
}

/**
 * Both spellings of the delay are sent: `retry-after-ms` is read first by the SDKs, `retry-after`, in whole seconds, by
 * everything else. Rounded up, for a client that comes back early is refused again.
 */
function errorHeaders(refusal: Refusal, status: number, answer: RefusalAnswer): HeaderList {
  const headers = ["content-type", "application/json"];
  const { advice } = answer;
  if (advice.retry === "never") headers.push("x-should-retry", "false");
  if (advice.retry === "after") {
    headers.push("retry-after-ms", String(Math.max(1, Math.ceil(advice.delayMs))));
    headers.push("retry-after", String(Math.max(1, Math.ceil(advice.delayMs / 1_000))));
  }
  if (refusal.kind === "method_not_allowed") headers.push("allow", refusal.allow);
  if (status === 401) headers.push("www-authenticate", "Bearer");
  return headers;
}

/** A server-sent event; JSON has no line breaks, so one `data` line holds it. */
export function serverSentEvent(event: string | undefined, data: unknown): Uint8Array {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return encoder.encode(`${name}data: ${JSON.stringify(data)}\n\n`);
}
