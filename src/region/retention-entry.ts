import { z } from "zod";
import { natural, text } from "./fields.ts";
import { frozenSet } from "./frozen.ts";
import { recordKinds, type RecordKind, type RetentionClass } from "./policy.ts";

export interface RetentionEntry {
  readonly months: number;
  readonly records?: readonly RecordKind[] | undefined;
  readonly tiers?: readonly string[] | undefined;
  readonly makers?: readonly string[] | undefined;
}

const names = z.array(text).min(1).optional();

export const retentionEntry: z.ZodType<RetentionEntry> = z
  .strictObject({
    months: natural.min(1).describe("Older records are deleted, unless a longer class has them too."),
    records: z
      .array(z.enum(recordKinds))
      .min(1)
      .optional()
      .describe("Which records; without it nothing is deleted by this class. What stands in no class is kept for ever."),
    tiers: names.describe("Only receipts of models of these tiers."),
    makers: names.describe("Only receipts of models of these makers."),
  })
  .refine(
    ({ records, tiers, makers }) =>
      (tiers === undefined && makers === undefined) || records?.every((kind) => kind === "receipts") === true,
    { error: 'tiers and makers narrow receipts alone: write records = ["receipts"], and another class for the rest' },
  );

export function buildRetention({ months, records, tiers, makers }: RetentionEntry): RetentionClass {
  return {
    months,
    records: frozenSet(records ?? []),
    tiers: tiers && frozenSet(tiers),
    makers: makers && frozenSet(makers),
  };
}
