import Anthropic, {
  APIError as AnthropicError,
  AuthenticationError as AnthropicAuthentication,
  PermissionDeniedError as AnthropicPermission,
} from "@anthropic-ai/sdk";
import OpenAI, { APIError, AuthenticationError, AzureOpenAI, NotFoundError, PermissionDeniedError } from "openai";
import { describe, expect, test } from "vitest";
import type { Dialect, DialectName, ErrorAnswer } from "../../src/dialect/dialect.ts";
import { dialectOf } from "../../src/dialect/dialects.ts";
import { describeRefusal } from "../../src/describe-refusal.ts";
import type { Refusal } from "../../src/refusal.ts";
import { everyRefusal } from "./refusal-cases.ts";

const decoder = new TextDecoder();

/** An answer that streams these pieces. */
function streaming(...pieces: readonly (string | Uint8Array)[]): () => Promise<Response> {
  const text = pieces.map((piece) => (typeof piece === "string" ? piece : decoder.decode(piece))).join("");
  return async () => new Response(text, { headers: { "content-type": "text/event-stream" } });
}

/** An answer that refuses, and counts how often it was asked for. */
function refusing(answer: ErrorAnswer): { readonly fetch: () => Promise<Response>; asked: number } {
  const counter = {
    asked: 0,
    fetch: async () => {
      counter.asked++;
      const headers = new Headers();
      for (let index = 0; index < answer.headers.length; index += 2)
        headers.append(answer.headers[index] as string, answer.headers[index + 1] as string);
      return new Response(answer.body.slice(), { status: answer.status, headers });
    },
  };
  return counter;
}

async function collect(
  stream: AsyncIterable<unknown>,
): Promise<{ readonly events: readonly unknown[]; readonly error: unknown }> {
  const events: unknown[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: undefined };
}

const openai = (fetch: () => Promise<Response>, maxRetries = 0): OpenAI =>
  new OpenAI({ apiKey: "k", baseURL: "http://gateway.test/v1", fetch, maxRetries });
const azure = (fetch: () => Promise<Response>): OpenAI =>
  new AzureOpenAI({ apiKey: "k", endpoint: "http://gateway.test", apiVersion: "2024-10-21", fetch, maxRetries: 0 });
const anthropic = (fetch: () => Promise<Response>, maxRetries = 0): Anthropic =>
  new Anthropic({ apiKey: "k", baseURL: "http://gateway.test", fetch, maxRetries });

const chatParameters = { model: "m", messages: [{ role: "user" as const, content: "x" }], stream: true as const };
const chunk =
  'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n';

function event(dialect: Dialect, refusal: Refusal, surface: string): Uint8Array {
  return dialect.errorEvent(refusal, "req_1", surface);
}

describe("an error in mid-stream", () => {
  test.each(everyRefusal)("$kind is raised by OpenAI's SDK, with its message and code", async (refusal) => {
    const { message, openai: named } = describeRefusal(refusal);
    const fetch = streaming(chunk, dialectOf("openai").keepAlive, event(dialectOf("openai"), refusal, "chat.completions"));
    for (const client of [openai(fetch), azure(fetch)]) {
      const { events, error } = await collect(await client.chat.completions.create(chatParameters));
      expect(events).toHaveLength(1);
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ message, code: named.code, type: named.type });
    }
  });

  test.each(everyRefusal)("$kind is raised in a stream of the Responses API, as its typed event", async (refusal) => {
    const { message, openai: named } = describeRefusal(refusal);
    for (const name of ["openai", "azure"] as const) {
      const dialect = dialectOf(name);
      const fetch = streaming(
        'event: response.created\ndata: {"type":"response.created","sequence_number":0}\n\n',
        dialect.keepAlive,
        event(dialect, refusal, "responses"),
      );
      const { events, error } = await collect(await openai(fetch).responses.create({ model: "m", input: "x", stream: true }));
      expect(events).toHaveLength(1);
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ message, code: named.code ?? named.type, error: { type: "error", sequence_number: 0 } });
    }
  });

  test.each(everyRefusal)("$kind is raised by Anthropic's SDK, with its type", async (refusal) => {
    const { message, anthropic: named } = describeRefusal(refusal);
    const dialect = dialectOf("anthropic");
    const start = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
    const fetch = streaming(start, dialect.keepAlive, event(dialect, refusal, "messages"));
    const stream = await anthropic(fetch).messages.create({ ...chatParameters, max_tokens: 5 });
    const { events, error } = await collect(stream);
    expect(events).toEqual([{ type: "message_stop" }]);
    expect(error).toBeInstanceOf(AnthropicError);
    expect(error).toMatchObject({
      type: named.type,
      error: { type: "error", error: { type: named.type, message }, request_id: "req_1" },
    });
  });

  test("without the event a truncated stream would look complete, which is why there is one", async () => {
    const { events, error } = await collect(await openai(streaming(chunk)).chat.completions.create(chatParameters));
    expect([events.length, error]).toEqual([1, undefined]);
  });
});

describe("keep-alives", () => {
  test("are seen by no SDK", async () => {
    const chat = streaming(dialectOf("openai").keepAlive, chunk, dialectOf("azure").keepAlive, "data: [DONE]\n\n");
    expect((await collect(await openai(chat).chat.completions.create(chatParameters))).events).toHaveLength(1);
    const { keepAlive } = dialectOf("anthropic");
    const messages = streaming(keepAlive, 'event: message_stop\ndata: {"type":"message_stop"}\n\n', keepAlive);
    const stream = await anthropic(messages).messages.create({ ...chatParameters, max_tokens: 5 });
    expect(await collect(stream)).toEqual({ events: [{ type: "message_stop" }], error: undefined });
  });
});

describe("an error before a stream", () => {
  const asking: Record<DialectName, (fetch: () => Promise<Response>, maxRetries: number) => Promise<unknown>> = {
    openai: (fetch, maxRetries) => openai(fetch, maxRetries).chat.completions.create(chatParameters),
    azure: (fetch, maxRetries) => openai(fetch, maxRetries).chat.completions.create(chatParameters),
    anthropic: (fetch, maxRetries) => anthropic(fetch, maxRetries).messages.create({ ...chatParameters, max_tokens: 5 }),
  };

  test.each(everyRefusal.filter((refusal) => describeRefusal(refusal).advice.retry === "never"))(
    "$kind is asked for once, however patient the SDK",
    async (refusal) => {
      for (const name of ["openai", "azure", "anthropic"] as const) {
        const counter = refusing(dialectOf(name).error(refusal, "req_1"));
        await expect(asking[name](counter.fetch, 2)).rejects.toMatchObject({
          status: dialectOf(name).error(refusal, "req_1").status,
        });
        expect(counter.asked).toBe(1);
      }
    },
  );

  test("a short limit is waited for and asked for again", async () => {
    const refusal: Refusal = {
      kind: "limit_reached",
      limitedBy: "key",
      limit: "l",
      unit: "requests",
      window: "minute",
      ceiling: 1,
      asked: 1,
      remaining: 0,
      retryAfterMs: 5,
    };
    for (const name of ["openai", "azure", "anthropic"] as const) {
      const counter = refusing(dialectOf(name).error(refusal, "req_1"));
      const startedAt = performance.now();
      await expect(asking[name](counter.fetch, 2)).rejects.toMatchObject({ status: 429 });
      expect(counter.asked).toBe(3);
      // Their own back-off begins at half a second: they took our delay.
      expect(performance.now() - startedAt).toBeLessThan(400);
    }
  });

  test("the SDKs' own classes of errors are met", async () => {
    const raised = async (name: DialectName, refusal: Refusal): Promise<unknown> =>
      asking[name](refusing(dialectOf(name).error(refusal, "req_1")).fetch, 0).catch((error: unknown) => error);
    expect(await raised("openai", { kind: "invalid_key" })).toBeInstanceOf(AuthenticationError);
    expect(await raised("openai", { kind: "tenant_not_verified", state: "applied" })).toBeInstanceOf(PermissionDeniedError);
    expect(await raised("azure", { kind: "model_not_found", model: "m" })).toBeInstanceOf(NotFoundError);
    expect(await raised("openai", { kind: "missing_field", param: "messages" })).toMatchObject({
      param: "messages",
      code: "missing_required_parameter",
    });
    expect(await raised("anthropic", { kind: "invalid_key" })).toBeInstanceOf(AnthropicAuthentication);
    expect(await raised("anthropic", { kind: "upstream_busy", retryAfterMs: 10 })).toMatchObject({
      status: 529,
      type: "overloaded_error",
    });
    expect(await raised("anthropic", { kind: "revoked" })).toBeInstanceOf(AnthropicPermission);
  });
});
