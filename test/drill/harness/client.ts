import { Agent, request } from "undici";
import { requestBody, type DrillRequest } from "./drill-request.ts";

/** What a client saw of one request. */
export interface Seen {
  readonly request: DrillRequest;
  /** `undefined` where the connection broke before a status came. */
  readonly status: number | undefined;
  /** Whether the answer came whole: a stream with its `[DONE]`. */
  readonly complete: boolean;
  /** Whether nothing came for all of the client's patience. */
  readonly hung: boolean;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Calls gateways as one tenant, over as many connections as it takes. Never tries again. */
export class Client {
  readonly #agent: Agent;
  readonly #key: string;
  readonly model: string;

  constructor(key: string, model: string, patienceMs: number) {
    this.#agent = new Agent({ connect: { timeout: patienceMs }, headersTimeout: patienceMs, bodyTimeout: patienceMs });
    this.#key = key;
    this.model = model;
  }

  async call(url: string, asked: DrillRequest): Promise<Seen> {
    const beganMs = performance.now();
    const seen = (status: number | undefined, complete: boolean, hung = false): Seen => ({
      request: asked,
      status,
      complete,
      hung,
      beganMs,
      endedMs: performance.now(),
    });
    let status: number | undefined;
    try {
      const answer = await request(`${url}/v1/chat/completions`, {
        method: "POST",
        dispatcher: this.#agent,
        headers: { authorization: `Bearer ${this.#key}`, "content-type": "application/json" },
        body: requestBody(asked, this.model),
      });
      status = answer.statusCode;
      const text = await answer.body.text();
      return seen(status, status === 200 && (!asked.stream || text.endsWith("data: [DONE]\n\n")));
    } catch (error) {
      const code = brokenBy(error);
      if (code === undefined) throw error;
      return seen(status, false, /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code));
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** How a connection failed or was cut, as it is when its gateway is killed; `undefined` for any other error. */
function brokenBy(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^(UND_ERR_|E[A-Z]+$)/.test(error.code) ? error.code : undefined;
}
