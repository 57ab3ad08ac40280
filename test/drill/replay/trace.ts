import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { syntheticTrace } from "./synthetic-trace.ts";

export interface TraceRequest {
  /** Milliseconds since the trace began. */
  readonly atMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface Trace {
  readonly name: TraceName;
  /** Where it is from, for the reader of the table. */
  readonly origin: "recorded" | "synthetic";
  /** In order of time. */
  readonly requests: readonly TraceRequest[];
}

export type TraceName = "code" | "conv";

/**
 * The Azure LLM inference traces of 2023 (Azure/AzurePublicDataset, CC BY 4.0; Patel et al., "Splitwise", ISCA 2024) where the
 * folder has them: `TIMESTAMP,ContextTokens,GeneratedTokens`. Else a synthetic one with the same statistics.
 */
export function readTrace(name: TraceName, directory: string): Trace {
  const file = join(directory, `AzureLLMInferenceTrace_${name}.csv`);
  if (!existsSync(file)) return { name, origin: "synthetic", requests: syntheticTrace(name) };
  const [, ...lines] = readFileSync(file, "utf8").trim().split(/\r?\n/);
  let beganMs: number | undefined;
  const requests = lines.map((line, index): TraceRequest => {
    const [time = "", prompt, output] = line.split(",");
    const timeMs = Date.parse(`${time.slice(0, 23).replace(" ", "T")}Z`);
    beganMs ??= timeMs;
    const request = { atMs: timeMs - beganMs, promptTokens: Number(prompt), outputTokens: Number(output) };
    if (!Object.values(request).every((value) => Number.isSafeInteger(value) && value >= 0))
      throw new Error(`${file}:${index + 2} is not a time and two counts of tokens`);
    return request;
  });
  return { name, origin: "recorded", requests };
}
