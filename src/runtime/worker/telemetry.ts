import { trace, type Tracer } from "@opentelemetry/api";
import type { Log } from "../../log.ts";
import type { Variables } from "./variables.ts";
import { otlpSettings } from "./otlp-settings.ts";

export interface Telemetry {
  readonly tracer: Tracer;
  /** Sends the spans that have ended. Never rejects. */
  readonly flush: () => Promise<void>;
}

/** OpenTelemetry by its standard `OTEL_*` variables. Where none asks for traces the SDK is not even loaded, and nothing is sent. */
export async function startTelemetry(variables: Variables, log: Log): Promise<Telemetry> {
  const settings = otlpSettings(variables);
  if (settings === undefined) return { tracer: trace.getTracer("strait"), flush: () => Promise.resolve() };
  const { createOtlpTracer } = await import("./otlp-tracer.ts");
  return createOtlpTracer(settings, log);
}
