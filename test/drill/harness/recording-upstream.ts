import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readDrillRequest, usageOf, type ReceivedRequest } from "./drill-request.ts";

/** What the upstream keeps of one request, beside any gateway's books. */
export interface Served {
  /** How often it came: more than once only where a gateway tried again. */
  arrivals: number;
  /** Whether its answer was written to the end, usage included. */
  completed: boolean;
  readonly request: ReceivedRequest;
}

export interface RecordingUpstreamOptions {
  /** Events of a streamed answer, and the time between two of them. A whole answer takes as long. */
  readonly events: number;
  readonly intervalMs: number;
}

/** A model that answers in OpenAI's form and counts for itself what it was asked and what it served. */
export class RecordingUpstream {
  readonly served: Map<string, Served> = new Map();
  readonly #server: Server;
  readonly #options: RecordingUpstreamOptions;
  #open = 0;
  #contradicts = false;
  #gate: Promise<void> | undefined;

  private constructor(options: RecordingUpstreamOptions) {
    this.#options = options;
    const settings = { keepAliveTimeout: 600_000, requestTimeout: 0 };
    this.#server = createServer(settings, (request, response) => this.#answer(request, response));
  }

  static async start(options: RecordingUpstreamOptions): Promise<RecordingUpstream> {
    const upstream = new RecordingUpstream(options);
    upstream.#server.listen(0, "127.0.0.1", 4_096);
    await once(upstream.#server, "listening");
    return upstream;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers that are under way. */
  get open(): number {
    return this.#open;
  }

  /** The next answer says that another model gave it than was asked for. */
  contradictOnce(): void {
    this.#contradicts = true;
  }

  /** From here on nothing is answered before the returned function is called. */
  closeGate(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return () => {
      this.#gate = undefined;
      resolve();
    };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.once("end", () => {
      const asked = readDrillRequest(Buffer.concat(parts).toString());
      const request = this.#contradicts ? { ...asked, model: "another-model" } : asked;
      this.#contradicts = false;
      const served = this.served.get(request.marker) ?? { arrivals: 0, completed: false, request };
      this.served.set(request.marker, served);
      served.arrivals += 1;
      this.#open += 1;
      response.once("close", () => (this.#open -= 1));
      const begin = (): void => (request.stream ? this.#stream(response, served) : this.#whole(response, served));
      if (this.#gate === undefined) begin();
      else void this.#gate.then(begin);
    });
  }

  #whole(response: ServerResponse, served: Served): void {
    setTimeout(() => {
      if (response.destroyed) return;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(wholeAnswer(served.request), () => (served.completed = true));
    }, this.#options.events * this.#options.intervalMs);
  }

  #stream(response: ServerResponse, served: Served): void {
    const { request } = served;
    response.writeHead(200, { "content-type": "text/event-stream" });
    let left = this.#options.events;
    const timer = setInterval(() => {
      if (response.destroyed) return clearInterval(timer);
      if (left-- > 0) return void response.write(chunk(request, `{"content":" pass"}`, "null"));
      clearInterval(timer);
      const last = `${chunk(request, "{}", `"stop"`)}${usageChunk(request)}data: [DONE]\n\n`;
      response.end(last, () => (served.completed = true));
    }, this.#options.intervalMs);
  }
}

function usageText(request: ReceivedRequest): string {
  const { promptTokens, outputTokens } = usageOf(request);
  const total = promptTokens + outputTokens;
  return JSON.stringify({ prompt_tokens: promptTokens, completion_tokens: outputTokens, total_tokens: total });
}

function chunkHead({ marker, model }: ReceivedRequest): string {
  return `data: {"id":"chatcmpl-${marker}","object":"chat.completion.chunk","created":1795000000,"model":"${model}"`;
}

function chunk(request: ReceivedRequest, delta: string, finishReason: string): string {
  return `${chunkHead(request)},"choices":[{"index":0,"delta":${delta},"finish_reason":${finishReason}}]}\n\n`;
}

function usageChunk(request: ReceivedRequest): string {
  return `${chunkHead(request)},"choices":[],"usage":${usageText(request)}}\n\n`;
}

function wholeAnswer(request: ReceivedRequest): string {
  const message = `{"index":0,"message":{"role":"assistant","content":"Ships pass."},"finish_reason":"stop"}`;
  const head = `{"id":"chatcmpl-${request.marker}","object":"chat.completion","created":1795000000,"model":"${request.model}"`;
  return `${head},"choices":[${message}],"usage":${usageText(request)}}`;
}
