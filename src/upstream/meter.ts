import { unknownUsage, type MeteredUsage } from "./usage.ts";
import type { Surface } from "../region/catalogue.ts";
import { parseEvent } from "./event-framer.ts";
import { MemberScanner } from "./member-scanner.ts";
import { asObject, asText, mergeUsage, messagesUsage, readUsage, type Json } from "./read-usage.ts";
import { streamRefusal, type StreamRefusal } from "./stream-refusal.ts";

/**
 * What one event means for the stream it stands in.
 * `prelude`: nothing a client could use yet, so the stream may still be given up for another deployment.
 * `content`: the upstream has begun to answer. `hidden`: content that the client did not ask for.
 * `refusal`: the upstream says no, with the status 200 long sent.
 */
export type EventMeaning = "prelude" | "content" | "hidden" | "refusal";

/** The events with which a stream of the Responses API ends, and which bear its usage. */
const lastResponseEvents: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed"]);

const lastResponseMembers: readonly string[] = ["id", "model", "service_tier", "usage"];

/** What is read from a stream while it passes. Reads no more of an event than it must. */
export class StreamMeter {
  readonly #surface: Surface;
  readonly #showUsage: boolean;
  readonly #decoder = new TextDecoder();
  #started = false;
  /** Anthropic reports usage in parts, each later one replacing what it names. */
  #messageUsage: Json = {};
  #skimmed: { readonly type: string; readonly scanner: MemberScanner } | undefined;
  usage: MeteredUsage = unknownUsage;
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
    const meaning =
      this.#surface === "messages"
        ? this.#message(text)
        : this.#surface === "responses"
          ? this.#response(text)
          : this.#chunk(text);
    if (meaning === "content") {
      this.#started = true;
      if (bearsOutput(text)) this.contentEvents++;
    }
    return meaning;
  }

  /**
   * One piece of an event that is too large to be held. Only the Responses API has such that matter: its last event
   * repeats the whole output, images included, before the usage.
   */
  skim(piece: Uint8Array, last: boolean): void {
    this.#started = true;
    if (this.#surface === "responses") {
      this.#skimmed ??= {
        type: /"type": ?"(response\.[a-z]+)"/.exec(this.#decoder.decode(piece.subarray(0, 512)))?.[1] ?? "",
        scanner: new MemberScanner(lastResponseMembers, { depth: 2 }),
      };
      const { type, scanner } = this.#skimmed;
      if (lastResponseEvents.has(type)) {
        scanner.push(piece);
        if (last) this.#lastResponse(Object.fromEntries(lastResponseMembers.map((name) => [name, scanner.get(name)])));
      }
    }
    if (!last) return;
    this.#skimmed = undefined;
    this.contentEvents++;
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
    const usage = readUsage(chunk["usage"], chunk["service_tier"]);
    if (usage !== undefined) {
      this.usage = mergeUsage(this.usage, usage);
      // Some servers count along with every chunk: only beside the end is the count that of the whole answer.
      this.usageComplete = usage.outputTokens !== undefined && (choices.length === 0 || choices.some(hasFinished));
      if (choices.length === 0) return this.#showUsage ? "content" : "hidden";
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
        this.servedModel ??= asText(message?.["model"]);
        this.responseId ??= asText(message?.["id"]);
        this.#readMessageUsage(message?.["usage"], false);
        return this.#started ? "content" : "prelude";
      }
      case "message_delta":
        this.#readMessageUsage(event["usage"], true);
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

  /**
   * `message_delta` counts all of the answer: with tools that the provider runs, its input is larger than what
   * `message_start` said. Some versions leave the cache's parts out of it, or the input altogether; then the first stand.
   */
  #readMessageUsage(value: unknown, final: boolean): void {
    const usage = asObject(value);
    if (usage === undefined) return;
    const said = Object.entries(usage).filter(([, part]) => part !== null && part !== undefined);
    this.#messageUsage = { ...this.#messageUsage, ...Object.fromEntries(said) };
    this.usage = messagesUsage(this.#messageUsage);
    this.inferenceGeo = asText(this.#messageUsage["inference_geo"]);
    if (final && "output_tokens" in usage && this.usage.outputTokens !== undefined) this.usageComplete = true;
  }

  /** The Responses API. */
  #response(text: string): EventMeaning {
    const name = /^event: ?(\S+)/.exec(text)?.[1];
    if (this.#started && name?.startsWith("response.") === true && !lastResponseEvents.has(name)) return "content";
    const event = parseData(text);
    const response = asObject(event?.["response"]);
    if (response !== undefined) this.#readResponse(response);
    switch (event?.["type"]) {
      case "response.completed":
      case "response.incomplete":
        this.#lastResponse(response ?? {});
        return "content";
      case "response.failed":
        if (!this.#started) return this.#refused(response?.["error"]);
        this.#lastResponse(response ?? {});
        return "content";
      case "error":
        return this.#refused(event?.["error"] ?? event);
      case "response.created":
      case "response.queued":
      case "response.in_progress":
      case "keepalive":
        return this.#started ? "content" : "prelude";
      default:
        if (asObject(event?.["error"]) !== undefined) return this.#refused(event?.["error"]);
        return event === undefined && !this.#started ? "prelude" : "content";
    }
  }

  #readResponse(response: Json): void {
    this.servedModel = asText(response["model"]) ?? this.servedModel;
    this.responseId = asText(response["id"]) ?? this.responseId;
    const usage = readUsage(response["usage"], response["service_tier"]);
    if (usage !== undefined) this.usage = mergeUsage(this.usage, usage);
  }

  #lastResponse(response: Json): void {
    this.#readResponse(response);
    this.finished = true;
    this.usageComplete = this.usage.outputTokens !== undefined;
  }

  #refused(error: unknown): EventMeaning {
    this.refusal = streamRefusal(asObject(error) ?? {});
    return "refusal";
  }
}

/** Whether the event is worth a token: pings, comments and frames of the stream are not. */
function bearsOutput(text: string): boolean {
  return text.includes("_delta") || text.includes('.delta"') || text.includes('"choices":[{') || text.includes('"choices": [{');
}

function hasFinished(choice: unknown): boolean {
  return asText(asObject(choice)?.["finish_reason"]) !== undefined;
}

function bearsContent(choice: unknown): boolean {
  const fields = asObject(choice);
  if (fields === undefined) return false;
  if (hasFinished(fields) || asText(fields["text"]) !== undefined) return true;
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
