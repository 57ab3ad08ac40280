/** OpenTelemetry's SDK in a Worker. Loaded only where traces are asked for. */
import { TraceFlags } from "@opentelemetry/api";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  TracerProvider,
  TraceIdRatioBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import type { Log } from "../../log.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import type { Telemetry } from "./telemetry.ts";

/** What is not sent in time is dropped rather than kept: an isolate's memory is small. */
const waitingSpans = 2_048;

export function createOtlpTracer(settings: OtlpSettings, log: Log): Telemetry {
  const ended = new EndedSpans();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ ...settings.resource }),
    sampler: samplerOf(settings),
    spanProcessors: [ended],
  });
  return {
    tracer: provider.getTracer("strait"),
    flush: () => send(ended.take(), settings, log),
  };
}

/** Keeps ended spans until somebody sends them: a timer of the SDK's own would belong to a request that is long over. */
class EndedSpans implements SpanProcessor {
  #spans: ReadableSpan[] = [];

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#spans.length < waitingSpans) this.#spans.push(span);
  }

  take(): ReadableSpan[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** Every trace begins here, so what a parent says never counts: `parentbased_x` is `x`. */
function samplerOf({ sampler, samplerRatio }: OtlpSettings): Sampler {
  switch (sampler.replace(/^parentbased_/, "")) {
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(samplerRatio);
    default:
      return new AlwaysOnSampler();
  }
}

/** Never rejects: a collector that is away costs a line in the log and nothing else. */
async function send(spans: readonly ReadableSpan[], settings: OtlpSettings, log: Log): Promise<void> {
  if (spans.length === 0) return;
  try {
    const body = JsonTraceSerializer.serializeRequest([...spans]);
    if (body === undefined) return;
    const headers = new Headers([
      ["content-type", "application/json"],
      ...settings.headers.map(([name, value]) => [name, value] as [string, string]),
    ]);
    const response = await fetch(settings.url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(settings.timeoutMs),
    });
    await response.body?.cancel();
    if (!response.ok) log.warn("the collector did not take the spans", { status: response.status, spans: spans.length });
  } catch (error) {
    log.warn("the collector could not be reached", { error: String(error), spans: spans.length });
  }
}
