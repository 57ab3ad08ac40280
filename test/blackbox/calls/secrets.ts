import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drain, openaiClient, azureClient, anthropicClient } from "../harness/clients.ts";
import { catalogue } from "../harness/catalogue.ts";
import type { GatewayUnderTest, StartGateway } from "../harness/gateway-under-test.ts";
import { Operator, type TestTenant } from "../harness/operator.ts";
import { startOtlpSink, type OtlpSink } from "../harness/otlp-sink.ts";
import { digestKeyOf, eventually, receiptOf } from "../harness/receipts.ts";

const prompt = "PLANTED-prompt-7d1f0c4e";
const credential = "PLANTED-credential-5b2e9a77";
const secretsKey = "UExBTlRFRC1zZWNyZXRzLWtleS0wNGI3LTMyLWJ5dGU";
const baggage = "PLANTED-baggage-0c6d";
const traceId = "0af7651916cd43dd8448eb211c80319c";

const messages = [{ role: "user" as const, content: `Say ${prompt} again` }];
const message = { model: "claude-haiku-4-5", max_tokens: 30, system: prompt, messages };
const tools = [
  {
    type: "function" as const,
    function: { name: "look_up", description: prompt, parameters: { type: "object", properties: {} } },
  },
];

/** Runs requests of all kinds against a gateway that holds real credentials, and looks for them wherever it writes. */
export function secrets(start: StartGateway, startMs: number): void {
  describe("what was planted as prompt, key or credential", () => {
    let sink: OtlpSink;
    let gateway: GatewayUnderTest;
    let operator: Operator;
    let tenant: TestTenant;
    /** What clients were answered, heads and bodies. */
    const answers: string[] = [];
    const reading: Promise<unknown>[] = [];
    const receipts: string[] = [];
    let digestKey = "";
    let audit = "";
    let output = "";
    let spans: Buffer = Buffer.alloc(0);
    let files: Buffer = Buffer.alloc(0);

    beforeAll(async () => {
      sink = await startOtlpSink();
      const environment = {
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_BSP_SCHEDULE_DELAY: "100",
        STRAIT_SECRETS_KEY: secretsKey,
      };
      gateway = await start({ credential, environment });
      operator = new Operator(gateway);
      tenant = await operator.addTenant();
      digestKey = await digestKeyOf(gateway.url, tenant.key);
      await callAll();
      await Promise.all(reading);
      audit = JSON.stringify(await operator.audit(tenant.id));
      // What was refused before anything was held has a receipt and nothing to settle.
      const settled = receipts.filter((receipt) => !receipt.includes('"end":"refused"')).length;
      // The last spans are sent a moment after their answer.
      await eventually(
        () => expect(occurrences(Buffer.concat(sink.bodies), "strait.settle")).toBeGreaterThanOrEqual(settled),
        10_000,
      );
      output = gateway.output();
      spans = Buffer.concat(sink.bodies);
      files = contentOf(gateway.dataDir);
    }, startMs);
    afterAll(async () => {
      await gateway?.stop();
      await sink?.close();
    }, startMs);

    /** Every call goes through a fetch that keeps the answer. */
    const listening: typeof fetch = async (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set("traceparent", `00-${traceId}-b7ad6b7169203331-01`);
      headers.set("baggage", `user=${baggage}`);
      headers.set("cookie", `session=${baggage}`);
      const response = await fetch(input, { ...init, headers });
      const [kept, given] = response.body?.tee() ?? [null, null];
      answers.push(JSON.stringify([...response.headers]));
      // An SDK that reads no further breaks its answer off, which is an end as well.
      const ignored = (): void => undefined;
      reading.push(new Response(kept).text().then((text) => answers.push(text), ignored));
      const requestId = response.headers.get("x-request-id");
      if (requestId !== null) requestIds.push(requestId);
      return new Response(given, response);
    };
    const requestIds: string[] = [];

    async function callAll(): Promise<void> {
      const options = { fetch: listening };
      const openai = openaiClient(gateway.url, tenant.key, options);
      const azure = azureClient(gateway.url, tenant.key, options);
      const anthropic = anthropicClient(gateway.url, tenant.key, options);
      const chat = { model: "gpt-4.1", messages };
      await openai.chat.completions.create({ ...chat, tools, tool_choice: "required" });
      await drain(await openai.chat.completions.create({ ...chat, stream: true }));
      await azure.chat.completions.create(chat);
      await openai.embeddings.create({ model: "text-embedding-3-small", input: prompt });
      await openai.completions.create({ model: "gpt-3.5-turbo-instruct", prompt });
      const response = await openai.responses.create({ model: "gpt-4.1", input: prompt, instructions: prompt });
      await openai.responses.create({ model: "gpt-4.1", input: prompt, previous_response_id: response.id });
      await anthropic.messages.create(message);
      await drain(await anthropic.messages.create({ ...message, stream: true }));
      await anthropic.messages.countTokens({ model: message.model, messages });

      const failing: (() => PromiseLike<unknown>)[] = [
        () => openai.chat.completions.create({ ...chat, model: "gpt-17" }),
        () => openai.chat.completions.create({ ...chat, max_tokens: -1 }),
        () => openai.chat.completions.create({ ...chat, logit_bias: { "1": 1 }, logprobs: true }),
        () => openaiClient(gateway.url, `${tenant.key.slice(0, -1)}_`, options).chat.completions.create(chat),
        () => openaiClient(gateway.url, prompt, options).chat.completions.create(chat),
        () => anthropic.messages.create({ ...message, model: "claude-17" }),
        () => raw(`{"model":"gpt-4.1","messages":[{"role":"user","content":"${prompt}" oops`),
        () => raw(`{"model":"gpt-4.1","messages":"${prompt}"}`),
        () => raw(`{"model":"gpt-4.1","messages":[],"stream":"${prompt}"}`),
      ];
      for (const call of failing) await quietly(call());

      // Upstreams that fail and say more than they should.
      const telltale = `Incorrect API key provided: ${credential}. You asked: ${prompt}`;
      for (const fault of [
        { kind: "status" as const, status: 401, message: telltale },
        { kind: "status" as const, status: 500, message: telltale },
        { kind: "refusal-200" as const, code: "server_error", message: telltale },
        { kind: "error-mid-stream" as const, message: telltale },
        { kind: "garbage" as const },
        { kind: "redirect" as const, location: `http://127.0.0.1:1/${credential}` },
        { kind: "reset" as const },
      ]) {
        for (const id of catalogue.regions.keys()) gateway.faults(id, [fault]);
        await quietly(openai.chat.completions.create({ ...chat, model: "gpt-4o-mini" }));
        await quietly(openai.chat.completions.create({ ...chat, model: "gpt-4o", stream: true }).then(drain));
        await quietly(anthropic.messages.create({ ...message, stream: true }).then(drain));
      }
      for (const id of catalogue.regions.keys()) gateway.faults(id, []);
      for (const requestId of requestIds) {
        const receipt = await receiptOf(gateway.url, tenant.key, requestId).catch(() => undefined);
        if (receipt !== undefined) receipts.push(JSON.stringify(receipt));
      }
    }

    function raw(body: string): Promise<Response> {
      return listening(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
        body,
      });
    }

    const places: readonly (readonly [string, () => Buffer])[] = [
      ["the answers to clients", () => Buffer.from(answers.join("\n"))],
      ["what the gateway printed", () => Buffer.from(output)],
      ["the receipts", () => Buffer.from(receipts.join("\n"))],
      ["the audit", () => Buffer.from(audit)],
      ["the spans", () => spans],
      ["the files of its stores", () => files],
    ];
    const planted: readonly (readonly [string, () => string])[] = [
      ["prompt", () => prompt],
      ["tenant's key", () => tenant.key],
      ["tenant's key's secret half", () => tenant.key.slice(-43, -1)],
      ["upstream's credential", () => credential],
      ["operator's key", () => gateway.operatorKey],
      ["client's baggage", () => baggage],
      ["tenant's digest key", () => digestKey],
      ["key that seals it", () => secretsKey],
    ];

    describe.each(places)("is not in %s:", (_place, contentOfPlace) => {
      test.each(planted)("the %s", (_what, secret) => {
        expect(secret().length).toBeGreaterThan(10);
        expect(around(contentOfPlace(), secret())).toBeUndefined();
      });
    });

    test("would be found where they are, for each place holds what it should", () => {
      expect(receipts.length).toBeGreaterThan(20);
      expect(answers.join("\n")).toContain("Simulated answer");
      expect(output).toMatch(/listening|Ready/);
      expect(audit).toContain("key.issue");
      for (const text of [tenant.id, "strait.authorise", "strait.reserve", "chat gpt-4.1"])
        expect(around(spans, text)).toContain(text);
      expect(around(files, tenant.id)).toContain(tenant.id);
    });

    test("reaches the upstream as far as it must and no further", () => {
      expect(gateway.seen.length).toBeGreaterThan(20);
      for (const request of gateway.seen) {
        expect([
          request.header("api-key"),
          request.header("x-api-key"),
          request.header("authorization")?.replace("Bearer ", ""),
        ]).toContain(credential);
        for (const name of ["traceparent", "baggage", "cookie", "tracestate", "x-forwarded-for"])
          expect([name, request.header(name)]).toEqual([name, undefined]);
        expect(request.header("user-agent")).toBe("strait");
      }
    });

    test("is not the client's trace either: it becomes a link, and every span is in a trace of the gateway's own", () => {
      const all = sink.bodies.flatMap((body) => spansIn(JSON.parse(body.toString("utf8")) as Exported));
      expect(all.filter((span) => span.traceId === traceId)).toEqual([]);
      const roots = all.filter((span) => (span.parentSpanId ?? "") === "");
      expect(roots.length).toBeGreaterThan(20);
      for (const root of roots) expect(root.links?.map((link) => link.traceId)).toEqual([traceId]);
    });
  });
}

interface ExportedSpan {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly traceId: string }[];
}

interface Exported {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[] }[];
}

function spansIn({ resourceSpans }: Exported): readonly ExportedSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

async function quietly(call: PromiseLike<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    // Failing is what these calls are for; what counts is what they leave behind.
    if (!(error instanceof Error)) throw error;
  }
}

/** The text around the first occurrence, so that a failure shows what leaked it. */
function around(content: Buffer, text: string): string | undefined {
  const at = content.indexOf(text);
  return at < 0 ? undefined : content.subarray(Math.max(0, at - 120), at + text.length + 60).toString("latin1");
}

function occurrences(content: Buffer, text: string): number {
  return content.toString("latin1").split(text).length - 1;
}

function contentOf(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Buffer.concat(files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
}
