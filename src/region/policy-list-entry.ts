import { z } from "zod";
import { country, instant, natural, text } from "./fields.ts";

/** A `[lists.NAME]` of `regions/policy.toml`, as written. */
export type PolicyListEntry = {
  readonly source: string;
  readonly as_of: Date;
  readonly greatest_age_days: number;
  readonly digest?: string | undefined;
} & (
  | { readonly kind: "parties"; readonly parties: readonly PartyEntry[] }
  | { readonly kind: "countries"; readonly countries: readonly string[] }
);

export interface PartyEntry {
  readonly name: string;
  readonly identifiers?: readonly string[] | undefined;
}

const snapshot = {
  source: text.describe("Where it was taken from."),
  as_of: instant.describe("As of when it holds."),
  greatest_age_days: natural
    .min(1)
    .describe("From then on, how long it may be relied on: older, every rule that reads it refuses."),
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in lower-case hex")
    .optional()
    .describe("SHA-256 over the entries: a list that was changed by hand does not match it any more."),
};

export const policyListEntry: z.ZodType<PolicyListEntry> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("parties"),
    ...snapshot,
    parties: z
      .array(z.strictObject({ name: text, identifiers: z.array(text).optional() }))
      .describe("Matched by exact identifier, such as `LEI:…`, or by name regardless of case, accents and punctuation."),
  }),
  z.strictObject({ kind: z.literal("countries"), ...snapshot, countries: z.array(country) }),
]);
