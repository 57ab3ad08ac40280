import { SpanKind } from "@opentelemetry/api";
import { afterEach, describe, expect, it, vi } from "vitest";
import { otlpSettings } from "../../src/runtime/worker/otlp-settings.ts";
import { startTelemetry } from "../../src/runtime/worker/telemetry.ts";
import { ExchangeTrace } from "../../src/trace.ts";
import type { Log } from "../../src/log.ts";

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.invalid:4318/" };

afterEach(() => {
  vi.restoreAllMocks();
});

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: {
    readonly resourceSpans: readonly {
      readonly resource: {
        readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
      };
      readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
    }[];
  };
}

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly links: readonly { readonly traceId: string }[];
}

/** Takes what is sent to the collector. */
function listen(status = 200): Sent[] {
  const sent: Sent[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    sent.push({ url: request.url, headers: request.headers, body: await request.json() });
    return new Response("{}", { status });
  });
  return sent;
}

describe("spans in a Worker", () => {
  it("are sent as OTLP after the exchange, in one trace that begins here and links to the client's", async () => {
    const sent = listen();
    const { tracer, flush } = await startTelemetry(
      { ...collector, OTEL_SERVICE_NAME: "edge", OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=a%20b,x-team=c" },
      silent,
    );
    const before = Date.now();
    const clientTrace = "0af7651916cd43dd8448eb211c80319c";
    const trace = ExchangeTrace.start(tracer, "POST", "/v1/chat/completions", `00-${clientTrace}-b7ad6b7169203331-01`);
    trace.step("strait.authorise").end();
    trace.step("chat gpt-4.1", SpanKind.CLIENT).fail("reset");
    trace.end(200, undefined);
    await flush();

    const [only] = sent;
    expect(sent).toHaveLength(1);
    expect(only?.url).toBe("http://collector.invalid:4318/v1/traces");
    expect([only?.headers.get("x-api-key"), only?.headers.get("x-team"), only?.headers.get("content-type")]).toEqual([
      "a b",
      "c",
      "application/json",
    ]);
    const resource = only?.body.resourceSpans[0];
    expect(resource?.resource.attributes).toContainEqual({ key: "service.name", value: { stringValue: "edge" } });
    const spans = resource?.scopeSpans[0]?.spans ?? [];
    expect(spans.map((span) => span.name).sort()).toEqual(["POST /v1/chat/completions", "chat gpt-4.1", "strait.authorise"]);
    const root = spans.find((span) => span.name.startsWith("POST"));
    expect(root?.links.map((link) => link.traceId)).toEqual([clientTrace]);
    expect(root?.traceId).not.toBe(clientTrace);
    expect(root?.traceId).toBe(trace.traceId);
    for (const span of spans) if (span !== root) expect([span.traceId, span.parentSpanId]).toEqual([root?.traceId, root?.spanId]);
    // Workerd's clock stands still and its `performance` begins elsewhere: the times must be real ones all the same.
    for (const span of spans) {
      expect(Number(span.startTimeUnixNano) / 1e6).toBeGreaterThanOrEqual(before - 1);
      expect(Number(span.endTimeUnixNano) / 1e6).toBeLessThanOrEqual(Date.now() + 1);
    }
  });

  it("are sent once", async () => {
    const sent = listen();
    const { tracer, flush } = await startTelemetry(collector, silent);
    tracer.startSpan("one").end();
    await Promise.all([flush(), flush()]);
    await flush();
    expect(sent).toHaveLength(1);
  });

  it("that are not sampled are neither recorded nor sent", async () => {
    const sent = listen();
    const { tracer, flush } = await startTelemetry(
      { ...collector, OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
      silent,
    );
    const trace = ExchangeTrace.start(tracer, "GET", "/", undefined);
    expect(trace.recording).toBe(false);
    trace.end(200, undefined);
    await flush();
    expect(sent).toEqual([]);
  });

  it.each([
    ["nothing asks for them", {}],
    ["the SDK is disabled", { ...collector, OTEL_SDK_DISABLED: "true" }],
    ["the exporter is none", { ...collector, OTEL_TRACES_EXPORTER: "none" }],
  ])("are not made where %s", async (_name, variables) => {
    const sent = listen();
    const { tracer, flush } = await startTelemetry(variables, silent);
    const span = tracer.startSpan("one");
    expect(span.isRecording()).toBe(false);
    span.end();
    await flush();
    expect(sent).toEqual([]);
  });

  it("that the collector does not take cost a warning and no request", async () => {
    listen(503);
    const warnings: string[] = [];
    const { tracer, flush } = await startTelemetry(collector, { ...silent, warn: (message) => warnings.push(message) });
    tracer.startSpan("one").end();
    await flush();
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("away"));
    tracer.startSpan("two").end();
    await flush();
    expect(warnings).toEqual(["the collector did not take the spans", "the collector could not be reached"]);
  });
});

describe("the standard variables", () => {
  it("name the traces' own endpoint as it is, before the common one", () => {
    expect(otlpSettings({ ...collector, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces.invalid/here" })?.url).toBe(
      "http://traces.invalid/here",
    );
  });

  it("give the resource its attributes, the service's name last", () => {
    const resource = otlpSettings({
      ...collector,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=other",
    })?.resource;
    expect(resource).toEqual({ "deployment.environment.name": "test", "service.name": "strait" });
  });

  it("with an endpoint that is no URL ask for nothing", () => {
    expect(otlpSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector" })).toBeUndefined();
  });
});
