import type { Variables } from "./variables.ts";

export interface OtlpSettings {
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: string;
  /** The sampler's argument: a ratio from 0 to 1. */
  readonly samplerRatio: number;
  readonly timeoutMs: number;
}

/** OpenTelemetry's standard variables, as far as a Worker can follow them; `undefined` where none asks for traces. */
export function otlpSettings(variables: Variables): OtlpSettings | undefined {
  const value = (name: string): string | undefined => variables[name]?.trim() || undefined;
  if (value("OTEL_SDK_DISABLED")?.toLowerCase() === "true" || value("OTEL_TRACES_EXPORTER") === "none") return undefined;
  const base = value("OTEL_EXPORTER_OTLP_ENDPOINT");
  const url =
    value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? (base === undefined ? undefined : `${base.replace(/\/+$/, "")}/v1/traces`);
  if (url === undefined || !URL.canParse(url)) return undefined;
  const ratio = Number(value("OTEL_TRACES_SAMPLER_ARG") ?? 1);
  return {
    url,
    headers: [...pairs(value("OTEL_EXPORTER_OTLP_HEADERS")), ...pairs(value("OTEL_EXPORTER_OTLP_TRACES_HEADERS"))],
    resource: {
      ...Object.fromEntries(pairs(value("OTEL_RESOURCE_ATTRIBUTES"))),
      "service.name": value("OTEL_SERVICE_NAME") ?? "strait",
    },
    sampler: value("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on",
    samplerRatio: ratio >= 0 && ratio <= 1 ? ratio : 1,
    timeoutMs: Number(value("OTEL_EXPORTER_OTLP_TIMEOUT")) || 10_000,
  };
}

/** `name=value,name=value`, values percent-encoded as in W3C Baggage. */
function pairs(text: string | undefined): (readonly [string, string])[] {
  return (text ?? "").split(",").flatMap((pair) => {
    const mark = pair.indexOf("=");
    return mark > 0 ? [[pair.slice(0, mark).trim(), decode(pair.slice(mark + 1).trim())] as const] : [];
  });
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
