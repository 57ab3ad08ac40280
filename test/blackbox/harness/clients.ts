import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { AzureOpenAI } from "openai";

export const apiVersion = "2025-04-01-preview";

interface ClientOptions {
  readonly maxRetries?: number;
  readonly fetch?: typeof fetch;
  readonly defaultHeaders?: Readonly<Record<string, string>>;
}

// No retry unless a test asks for it: an error that the SDK got over by itself would go unseen.
const usual = { maxRetries: 0, timeout: 20_000 } as const;

export function openaiClient(url: string, key: string, options: ClientOptions = {}): OpenAI {
  return new OpenAI({ ...usual, baseURL: `${url}/v1`, apiKey: key, ...options });
}

export function azureClient(url: string, key: string, options: ClientOptions = {}): AzureOpenAI {
  return new AzureOpenAI({ ...usual, endpoint: url, apiKey: key, apiVersion, ...options });
}

/** Azure's GA surface, as Azure's own documentation has the OpenAI SDK call it. */
export function azureV1Client(url: string, key: string, options: ClientOptions = {}): OpenAI {
  return new OpenAI({ ...usual, baseURL: `${url}/openai/v1`, apiKey: key, ...options });
}

export function anthropicClient(url: string, key: string, options: ClientOptions = {}): Anthropic {
  return new Anthropic({ ...usual, baseURL: url, apiKey: key, ...options });
}

export interface Exchanged {
  readonly status: number;
  readonly headers: Headers;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** What the SDK says of its own retries. */
  readonly retryCount: string | null;
}

/** A `fetch` that remembers each exchange: what the SDK really sent, and when. */
export function recordingFetch(): { readonly exchanges: readonly Exchanged[]; readonly fetch: typeof fetch } {
  const exchanges: Exchanged[] = [];
  return {
    exchanges,
    fetch: async (input, init) => {
      const startedAtMs = performance.now();
      const response = await fetch(input, init);
      const retryCount = new Headers(init?.headers).get("x-stainless-retry-count");
      exchanges.push({
        status: response.status,
        headers: response.headers,
        startedAtMs,
        endedAtMs: performance.now(),
        retryCount,
      });
      return response;
    },
  };
}

/** The error that a call ends with; fails where it does not. */
export async function errorOf(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("the call was answered, and should have been refused");
}

/** Reads a stream to its end or its error. */
export async function drain<Event>(
  stream: AsyncIterable<Event>,
): Promise<{ readonly events: readonly Event[]; readonly error: unknown }> {
  const events: Event[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: undefined };
}
