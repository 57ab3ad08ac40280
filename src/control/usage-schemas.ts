import { z } from "@hono/zod-openapi";
import type { UsageDocument } from "../ledger/usage-document.ts";
import { usageDimensions } from "../ledger/journal-reader.ts";
import type { CounterVerdict } from "../ledger/usage-counters.ts";
import { limitUnits, type LimitUnit } from "../tenant/limit-setting.ts";

export interface CounterReportDocument {
  tenant: string;
  at: string;
  counters: {
    limit: string;
    counter: string;
    unit: LimitUnit;
    window: "day" | "month";
    since: string;
    counted: number;
    journal: number;
    inFlight: number;
    difference: number;
    verdict: CounterVerdict;
  }[];
  left: { limit: string; reason: string }[];
}

const count = z.int().min(0);
const counts = {
  inputTokens: count,
  cachedInputTokens: count,
  cacheWriteTokens: count,
  outputTokens: count,
  reasoningTokens: count,
};
const sums = {
  requests: count,
  refused: count.openapi({
    description: "Admitted, and answered with a status of 400 or above. What limits or policy refused is not counted.",
  }),
  unsettled: count.openapi({ description: "Whose gateway died: charged as held until more is known." }),
  ...counts,
  unknown: z.object(counts).openapi({ description: "For each count, the requests that do not know it; they add nothing to it." }),
  chargedTokens: count,
  costMicroUsd: count,
};
const group = {
  day: z.string().nullish(),
  tenant: z.string().nullish(),
  model: z.string().nullish(),
  key: z.string().nullish(),
  region: z.string().nullish().openapi({ description: "`null` where no region was reached." }),
  end: z.string().nullish(),
};

export const usageSchema: z.ZodType<UsageDocument> = z
  .object({
    from: z.string(),
    to: z.string().openapi({ description: "No longer part of the period." }),
    timeZone: z.string(),
    by: z.array(z.enum(usageDimensions)),
    usage: z.array(z.object({ ...group, ...sums })),
    total: z.object(sums),
  })
  .openapi("Usage");

export const counterReportSchema: z.ZodType<CounterReportDocument> = z
  .object({
    tenant: z.string(),
    at: z.string(),
    counters: z.array(
      z.object({
        limit: z.string(),
        counter: z.string(),
        unit: z.enum(limitUnits as [LimitUnit, ...LimitUnit[]]),
        window: z.enum(["day", "month"]),
        since: z.string(),
        counted: z.int().openapi({ description: "Used and held, as the quota store has it." }),
        journal: count,
        inFlight: count,
        difference: z.int().openapi({ description: "counted - journal - inFlight" }),
        verdict: z.enum(["equal", "boundary", "moving", "differs"]),
      }),
    ),
    left: z
      .array(z.object({ limit: z.string(), reason: z.string() }))
      .openapi({ description: "Limits that the journal cannot vouch for." }),
  })
  .openapi("CounterReport");
