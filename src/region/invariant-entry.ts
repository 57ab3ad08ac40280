import { z } from "zod";
import { evidenceGrades, type EvidenceGrade } from "./catalogue.ts";
import type { Country } from "./country.ts";
import { looseList, loosely, name, ruleCountries, text, type Loose } from "./fields.ts";
import { frozenSet } from "./frozen.ts";
import { resolveCountries, type Groups } from "./groups.ts";
import type { Invariant } from "./invariant.ts";
import type { Audience } from "./policy.ts";

/** One `[[invariants]]` of `regions/policy.toml`, as written. */
export interface InvariantEntry {
  readonly id: string;
  readonly because: string;
  readonly tenants_in?: readonly string[] | undefined;
  readonly owners_in?: readonly string[] | undefined;
  readonly end_uses?: readonly string[] | undefined;
  readonly audience?: Audience | undefined;
  readonly makers?: readonly string[] | undefined;
  readonly tiers?: readonly string[] | undefined;
  readonly models?: readonly string[] | undefined;
  readonly never_in?: readonly string[] | undefined;
  readonly never_in_own_jurisdiction?: boolean | undefined;
  readonly least_evidence?: EvidenceGrade | undefined;
  readonly never_served?: boolean | undefined;
}

const names = z.array(name).min(1);

export const invariantEntry: z.ZodType<InvariantEntry> = z
  .strictObject({
    id: name.describe("Named where it is broken."),
    because: text.describe("Why it must hold, in one sentence."),
    tenants_in: ruleCountries.optional().describe("Only tenants registered, led or ultimately owned in one of these."),
    owners_in: ruleCountries.optional().describe("Only tenants wholly owned by a company of one of these."),
    end_uses: z.array(text).min(1).optional().describe("Only tenants whose declared end use has one of these as whole words."),
    audience: z.enum(["internal", "public-facing"]).optional().describe("Only tenants that serve these with the models."),
    makers: names.optional().describe("Only models of these makers."),
    tiers: names.optional().describe("Only models of these tiers."),
    models: names.optional().describe("Only these models."),
    never_in: ruleCountries.optional().describe("No deployment that may process in one of these."),
    never_in_own_jurisdiction: z
      .literal(true)
      .optional()
      .describe(
        "No deployment that may process where the tenant is registered, led or owned, groups that are one jurisdiction included.",
      ),
    least_evidence: z.enum(evidenceGrades).optional().describe("No deployment with less evidence than this."),
    never_served: z.literal(true).optional().describe("No deployment at all."),
  })
  .refine(
    ({ never_in, never_in_own_jurisdiction, least_evidence, never_served }) =>
      [never_in, never_in_own_jurisdiction, least_evidence, never_served].some((given) => given !== undefined),
    "give never_in, never_in_own_jurisdiction, least_evidence or never_served: this invariant forbids nothing",
  );

export const looseInvariant: z.ZodType<Loose<InvariantEntry>> = loosely<InvariantEntry>({
  id: name,
  because: text,
  tenants_in: looseList,
  owners_in: looseList,
  end_uses: looseList,
  audience: z.enum(["internal", "public-facing"]),
  makers: looseList,
  tiers: looseList,
  models: looseList,
  never_in: looseList,
  never_in_own_jurisdiction: z.boolean(),
  least_evidence: z.enum(evidenceGrades),
  never_served: z.boolean(),
});

export function buildInvariant(entry: InvariantEntry, groups: Groups): Invariant {
  const countries = (list: readonly string[] | undefined): ReadonlySet<Country> | undefined =>
    list && resolveCountries(list, groups);
  return Object.freeze({
    id: entry.id,
    because: entry.because,
    tenantsIn: countries(entry.tenants_in),
    ownersIn: countries(entry.owners_in),
    endUses: entry.end_uses && Object.freeze([...entry.end_uses]),
    audience: entry.audience,
    makers: entry.makers && frozenSet(entry.makers),
    tiers: entry.tiers && frozenSet(entry.tiers),
    models: entry.models && frozenSet(entry.models),
    neverIn: countries(entry.never_in),
    neverInOwnJurisdiction: entry.never_in_own_jurisdiction === true,
    leastEvidence: entry.least_evidence,
    neverServed: entry.never_served === true,
  });
}
