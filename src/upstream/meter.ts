import { unknownUsage, type Usage } from "../ledger/usage.ts";
import type { Surface } from "../region/catalogue.ts";
import { parseEvent } from "./event-framer.ts";
import { asObject, asText, mergeUsage, readUsage, type Json } from "./read-usage.ts";

/**
 * What one event means for the stream it stands in.
 * `prelude`: nothing a client could use yet, so the stream may still be given up for another deployment.
 * `content`: the upstream has begun to answer. `hidden`: content that the client did not ask for.
 * `refusal`: the upstream says no, with the status 200 long sent.
 */
export type EventMeaning = "prelude" | "content" | "hidden" | "refusal";

/** An upstream's own no, inside a stream. */
export interface StreamRefusal {
  readonly code: string;
  /** Whether another deployment might say yes. */
  readonly elsewhere: boolean;
}

/** What is read from a stream while it passes. Reads no more of an event than it must. */
export class StreamMeter {
  readonly #surface: Surface;
  readonly #showUsage: boolean;
  readonly #decoder = new TextDecoder();
  #started = false;
  usage: Usage = unknownUsage;
  /** Whether the upstream reported output tokens for the whole answer. */
  usageComplete = false;
  /** Events that carried output; a lower bound of the output tokens where nothing better is known. */
  contentEvents = 0;
  servedModel: string | undefined;
  responseId: string | undefined;
  inferenceGeo: string | undefined;
  refusal: StreamRefusal | undefined;
  /** Whether the event came with which this surface says that it is complete. */
  finished = false;

  constructor(surface: Surface, showUsage: boolean) {
    this.#surface = surface;
    this.#showUsage = showUsage;
  }

  observe(event: Uint8Array): EventMeaning {
    const text = this.#decoder.decode(event);
    const meaning = this.#surface === "messages" ? this.#message(text) : this.#surface === "responses" ? this.#response(text) : this.#chunk(text);
    if (meaning === "content") {
      this.#started = true;
      this.contentEvents++;
    }
    return meaning;
  }

  /** Chat completions and completions. */
  #chunk(text: string): EventMeaning {
    if (text.startsWith("data: [DONE]") || text.startsWith("data:[DONE]")) {
      this.finished = true;
      return "content";
    }
    // Only the first events, those with usage and those with an error are worth parsing: the rest is text.
    const mayMatter = !this.#started || text.includes('"usage":{') || text.includes('"usage": {') || text.includes('"error"');
    if (!mayMatter) return "content";
    const chunk = parseData(text);
    if (chunk === undefined) return this.#started ? "content" : "prelude";
    if (asObject(chunk["error"]) !== undefined) return this.#refused(chunk["error"]);
    this.servedModel ??= asText(chunk["model"]);
    this.responseId ??= asText(chunk["id"]);
    const choices = Array.isArray(chunk["choices"]) ? (chunk["choices"] as readonly unknown[]) : [];
    const usage = readUsage(chunk["usage"]);
    if (usage !== undefined) {
      this.usage = mergeUsage(this.usage, usage);
      this.usageComplete = usage.outputTokens !== undefined;
      if (choices.length === 0 && !this.#showUsage) return "hidden";
      if (choices.length === 0) return "content";
    }
    return this.#started || choices.some(bearsContent) ? "content" : "prelude";
  }

  /** Anthropic messages. */
  #message(text: string): EventMeaning {
    const ofInterest = !this.#started || text.includes('"usage"') || text.includes("message_stop") || text.includes('"error"');
    if (!ofInterest) return "content";
    const event = parseData(text);
    switch (event?.["type"]) {
      case "message_start": {
        const message = asObject(event["message"]);
        this.servedModel = asText(message?.["model"]);
        this.responseId = asText(message?.["id"]);
        this.#messageUsage(message?.["usage"], false);
        return "prelude";
      }
      case "message_delta":
        this.#messageUsage(event["usage"], true);
        return "content";
      case "message_stop":
        this.finished = true;
        return "content";
      case "error":
        return this.#refused(event["error"]);
      case "content_block_start":
      case "ping":
        return this.#started ? "content" : "prelude";
      default:
        return event === undefined && !this.#started ? "prelude" : "content";
    }
  }

  #messageUsage(value: unknown, final: boolean): void {
    const usage = readUsage(value);
    if (usage === undefined) return;
    // `message_delta` repeats `input_tokens` without the cache's parts in some versions: the first report of input stands.
    this.usage = mergeUsage(usage, { ...this.usage, outputTokens: usage.outputTokens });
    this.inferenceGeo = asText(asObject(value)?.["inference_geo"]) ?? this.inferenceGeo;
    if (final && usage.outputTokens !== undefined) this.usageComplete = true;
  }

  /** The Responses API. */
  #response(text: string): EventMeaning {
    const ofInterest = !this.#started || text.includes("event: response.") === false || /event: response\.(completed|incomplete|failed)|event: error/.test(text);
    if (!ofInterest) return "content";
    const event = parseData(text);
    const type = event?.["type"];
    const response = asObject(event?.["response"]);
    if (response !== undefined) {
      this.servedModel = asText(response["model"]) ?? this.servedModel;
      this.responseId = asText(response["id"]) ?? this.responseId;
      const usage = readUsage(response["usage"]);
      if (usage !== undefined) {
        this.usage = mergeUsage(this.usage, usage);
        this.usageComplete = usage.outputTokens !== undefined;
      }
    }
    switch (type) {
      case "response.completed":
      case "response.incomplete":
        this.finished = true;
        return "content";
      case "response.failed":
        this.finished = true;
        return this.#started ? "content" : this.#refused(response?.["error"]);
      case "error":
        return this.#refused(event?.["error"] ?? event);
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        return this.#started ? "content" : "prelude";
      default:
        return event === undefined && !this.#started ? "prelude" : "content";
    }
  }

  #refused(value: unknown): EventMeaning {
    const error = asObject(value);
    const code = asText(error?.["code"]) ?? asText(error?.["type"]) ?? "error";
    this.refusal = { code, elsewhere: !requestFaults.has(code) };
    return "refusal";
  }
}

/** Errors for which the request is to blame: no other deployment would answer it. */
const requestFaults: ReadonlySet<string> = new Set([
  "invalid_request_error",
  "invalid_prompt",
  "content_filter",
  "context_length_exceeded",
  "request_too_large",
]);

function bearsContent(choice: unknown): boolean {
  const fields = asObject(choice);
  if (fields === undefined) return false;
  if (fields["finish_reason"] !== null && fields["finish_reason"] !== undefined) return true;
  if (asText(fields["text"]) !== undefined) return true;
  const delta = asObject(fields["delta"]);
  if (delta === undefined) return false;
  for (const [name, value] of Object.entries(delta)) {
    if (name !== "role" && value !== null && value !== "") return true;
  }
  return false;
}

function parseData(text: string): Json | undefined {
  const { data } = parseEvent(text);
  if (data === "") return undefined;
  try {
    return asObject(JSON.parse(data));
  } catch {
    return undefined; // not JSON: passes on as it is, and tells nothing
  }
}
