import { trace, type Tracer } from "@opentelemetry/api";

export interface Telemetry {
  readonly tracer: Tracer;
  /** Sends what is still waiting. */
  shutdown(): Promise<void>;
}

/**
 * OpenTelemetry by its standard `OTEL_*` variables. The SDK is loaded only where one of them asks for traces: loading it
 * takes longer than the whole rest of a start, and without it the tracer records nothing and costs nothing.
 */
export async function startTelemetry(environment: Readonly<Record<string, string | undefined>>): Promise<Telemetry> {
  if (!asksForTraces(environment)) return { tracer: trace.getTracer("strait"), shutdown: () => Promise.resolve() };
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  // No instrumentation: the spans are made by hand, and global `fetch` or `http` hooks would send trace headers upstream.
  const sdk = new NodeSDK({ serviceName: environment["OTEL_SERVICE_NAME"] ?? "strait", instrumentations: [] });
  sdk.start();
  return { tracer: trace.getTracer("strait"), shutdown: () => sdk.shutdown() };
}

function asksForTraces(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return false;
  const exporter = environment["OTEL_TRACES_EXPORTER"];
  if (exporter !== undefined && exporter !== "") return exporter !== "none";
  return [environment["OTEL_EXPORTER_OTLP_ENDPOINT"], environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]].some(
    (value) => value !== undefined && value !== "",
  );
}
