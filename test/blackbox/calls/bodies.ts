import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { reached } from "../harness/gateway-under-test.ts";
import type { Context } from "./context.ts";

export const bodyLimitBytes = 65_536;

const paths = {
  openai: "/v1/chat/completions",
  azure: "/openai/deployments/gpt-4.1/chat/completions?api-version=2025-04-01-preview",
  anthropic: "/v1/messages",
} as const;
const dialects = ["openai", "azure", "anthropic"] as const;
type Dialect = (typeof dialects)[number];

const models: Readonly<Record<Dialect, string>> = { openai: "gpt-4.1", azure: "gpt-4.1", anthropic: "claude-haiku-4-5" };

/** The fields of a good request of this dialect, for a test to spoil. */
function good(dialect: Dialect): Record<string, unknown> {
  return { model: models[dialect], max_tokens: 20, messages: [{ role: "user", content: "Hello" }] };
}

interface Spoilt {
  readonly body: (dialect: Dialect) => string | Uint8Array<ArrayBuffer>;
  /** The code in the OpenAI and Azure dialects. */
  readonly code: string;
  readonly param?: string;
}

const text = (dialect: Dialect, change: Record<string, unknown>): string => JSON.stringify({ ...good(dialect), ...change });

const spoilt: Readonly<Record<string, Spoilt>> = {
  "an empty body": { body: () => "", code: "invalid_json" },
  "no object": { body: () => "[]", code: "invalid_json" },
  "JSON that breaks off": { body: (dialect) => text(dialect, {}).slice(0, -1), code: "invalid_json" },
  "JSON that is none inside": { body: (dialect) => text(dialect, {}).replace('"Hello"', "Hello"), code: "invalid_json" },
  "no messages": {
    body: (dialect) => JSON.stringify({ model: models[dialect], max_tokens: 20 }),
    code: "missing_required_parameter",
    param: "messages",
  },
  "messages that are none": { body: (dialect) => text(dialect, { messages: "Hello" }), code: "invalid_value", param: "messages" },
  "an absurd max_tokens": { body: (dialect) => text(dialect, { max_tokens: 1e18 }), code: "invalid_value", param: "max_tokens" },
  "a max_tokens below one": { body: (dialect) => text(dialect, { max_tokens: -5 }), code: "invalid_value", param: "max_tokens" },
  "a key twice": {
    body: (dialect) => text(dialect, {}).replace("{", '{"model":"gpt-5",'),
    code: "duplicate_key",
    param: "model",
  },
  "a key twice, once in disguise": {
    body: (dialect) => text(dialect, {}).replace("{", '{"mod\\u0065l":"gpt-5",'),
    code: "duplicate_key",
    param: "model",
  },
  "JSON nested too deep": {
    body: (dialect) => text(dialect, {}).replace("{", `{"metadata":${"[".repeat(5_000)}${"]".repeat(5_000)},`),
    code: "json_too_deep",
  },
  "bytes that are not UTF-8": {
    body: (dialect) => {
      const bytes = new TextEncoder().encode(text(dialect, {}));
      bytes[bytes.indexOf(0x48)] = 0xff;
      return bytes;
    },
    code: "invalid_utf8",
  },
};

export function bodies(context: () => Context): void {
  const post = (
    path: string,
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    headers: Readonly<Record<string, string>> = {},
    more: Readonly<RequestInit> = {},
  ) => {
    const { gateway, tenant } = context();
    return fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json", ...headers },
      body,
      ...more,
    });
  };

  /** The refusal as this dialect shows it, and that nobody upstream heard of the request. */
  async function refused(
    dialect: Dialect,
    status: number,
    code: string,
    param: string | undefined,
    send: () => Promise<Response>,
  ): Promise<void> {
    const before = context().gateway.stats();
    const response = await send();
    const requestId = response.headers.get(dialect === "anthropic" ? "request-id" : "x-request-id");
    const body: unknown = await response.json();
    expect([response.status, body]).toEqual([status, expect.anything()]);
    expect(requestId).toMatch(/\S/);
    expect(response.headers.get("x-should-retry")).toBe("false");
    const message: unknown = expect.stringMatching(/\S.*\.$/s);
    if (dialect === "openai")
      expect(body).toEqual({ error: { message, type: "invalid_request_error", param: param ?? null, code } });
    if (dialect === "azure") expect(body).toMatchObject({ error: { message, code } });
    if (dialect === "anthropic") {
      const type = status === 413 ? "request_too_large" : "invalid_request_error";
      expect(body).toEqual({ type: "error", error: { type, message }, request_id: requestId });
    }
    expect(reached(before, context().gateway.stats())).toEqual({});
  }

  describe.each(dialects)("a body in the dialect of %s", (dialect) => {
    test.each(Object.entries(spoilt))("with %s is refused", async (_what, { body, code, param }) => {
      await refused(dialect, 400, code, param, () => post(paths[dialect], body(dialect)));
    });

    test.each([
      ["a little", bodyLimitBytes],
      ["far", 50 * bodyLimitBytes],
    ])(
      "%s over the limit is refused, whether its length is announced or not, and the client gets to read why",
      async (_much, padding) => {
        const large = text(dialect, { padding: "x".repeat(padding) });
        await refused(dialect, 413, "request_too_large", undefined, () => post(paths[dialect], large));
        const pieces = new ReadableStream<Uint8Array>({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(large));
            controller.close();
          },
        });
        // `duplex` is Node's own, and not in the types of the Web.
        const streaming = { duplex: "half" } as RequestInit;
        await refused(dialect, 413, "request_too_large", undefined, () => post(paths[dialect], pieces, {}, streaming));
      },
    );

    test("just within the limit is answered", async () => {
      const most = bodyLimitBytes - text(dialect, { messages: [{ role: "user", content: "" }] }).length;
      const response = await post(paths[dialect], text(dialect, { messages: [{ role: "user", content: "x".repeat(most) }] }));
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("Simulated")]);
    });

    test("that is compressed is refused", async () => {
      await refused(dialect, 415, "unsupported_content_encoding", undefined, () =>
        post(paths[dialect], gzipSync(text(dialect, {})), { "content-encoding": "gzip" }),
      );
    });

    test("of another content type is refused", async () => {
      await refused(dialect, 415, "unsupported_content_type", undefined, () =>
        post(paths[dialect], text(dialect, {}), { "content-type": "text/plain" }),
      );
    });

    test("with fields that nobody here knows is answered, and they go on", async () => {
      const response = await post(
        paths[dialect],
        text(dialect, { some_new_field: { deep: [1, 2, 9007199254740993n.toString()] } }),
      );
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("Simulated")]);
    });
  });

  describe("a request that extracts a model's weights", () => {
    test.each([{ logprobs: true }, { top_logprobs: 5, logprobs: true }])(
      "by logit_bias with %j is refused",
      async (probabilities) => {
        const body = text("openai", { logit_bias: { "50256": 100 }, ...probabilities });
        const before = context().gateway.stats();
        const response = await post(paths.openai, body);
        expect([response.status, await response.json()]).toEqual([
          403,
          { error: expect.objectContaining({ code: "unsupported_parameter", message: expect.stringContaining("logit_bias") }) },
        ]);
        expect(reached(before, context().gateway.stats())).toEqual({});
      },
    );

    test("is not one with either of the two alone", async () => {
      for (const change of [{ logit_bias: { "50256": 100 } }, { logprobs: true }]) {
        const response = await post(paths.openai, text("openai", change));
        expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("Simulated")]);
      }
    });
  });
}
