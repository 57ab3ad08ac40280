import { z } from "zod";
import { evidenceGrades, type EvidenceGrade } from "./catalogue.ts";
import { instant, looseList, loosely, name, natural, ruleCountries, text, type Loose } from "./fields.ts";
import { hostedTools, type Audience, type HostedTool } from "./policy.ts";

interface ScopeEntry {
  readonly id: string;
  readonly because: string;
  readonly reason_codes?: readonly string[] | undefined;
  readonly effective_from?: Date | undefined;
  readonly effective_to?: Date | undefined;
  readonly suspended?: readonly { readonly from: Date; readonly to: Date }[] | undefined;
  readonly makers?: readonly string[] | undefined;
  readonly tiers?: readonly string[] | undefined;
  readonly models?: readonly string[] | undefined;
  readonly facts_no_older_than_days?: number | undefined;
}

interface TenantScopeEntry extends ScopeEntry {
  readonly tenants_in?: readonly string[] | undefined;
  readonly audience?: Audience | undefined;
}

/** Of a rule about the tenant or the request, what follows where it matches; without it, a denial. */
interface RulingEntry {
  readonly decision?: "deny" | "review" | "degrade" | undefined;
  readonly to_model?: string | undefined;
  readonly without?: "log_probabilities" | undefined;
}

/** One `[[rules]]` of `regions/policy.toml`, as written. */
export type RuleEntry =
  | (TenantScopeEntry & { readonly kind: "weights_location"; readonly never_in: readonly string[] })
  | (ScopeEntry & { readonly kind: "own_jurisdiction" })
  | (TenantScopeEntry & {
      readonly kind: "tenant_countries";
      readonly allow?: readonly string[] | undefined;
      readonly deny?: readonly string[] | undefined;
    })
  | (TenantScopeEntry &
      RulingEntry & {
        readonly kind: "ownership";
        readonly owners_in?: readonly string[] | undefined;
        readonly owners_on?: readonly string[] | undefined;
        readonly share_at_least_percent?: number | undefined;
        readonly share_more_than_percent?: number | undefined;
      })
  | (TenantScopeEntry &
      RulingEntry & { readonly kind: "tier"; readonly tiers: readonly string[]; readonly tenants_in: readonly string[] })
  | (TenantScopeEntry &
      RulingEntry & {
        readonly kind: "withdrawal";
        readonly models: readonly string[];
        readonly open_to?: readonly string[] | undefined;
      })
  | (TenantScopeEntry &
      RulingEntry & {
        readonly kind: "end_use";
        readonly denied?: readonly string[] | undefined;
        readonly allowed?: readonly string[] | undefined;
      })
  | (TenantScopeEntry &
      RulingEntry & {
        readonly kind: "nationality";
        readonly deny?: readonly string[] | undefined;
        readonly allow?: readonly string[] | undefined;
      })
  | (TenantScopeEntry & RulingEntry & { readonly kind: "hosted_tools"; readonly tools: readonly HostedTool[] })
  | (TenantScopeEntry & RulingEntry & { readonly kind: "log_probabilities"; readonly only_with_logit_bias?: boolean | undefined })
  | (TenantScopeEntry & { readonly kind: "evidence"; readonly least: EvidenceGrade })
  | (ScopeEntry & { readonly kind: "exemption"; readonly parties_on: readonly string[]; readonly lifts: readonly string[] });

const scope = {
  id: name.describe("Named in refusals and receipts."),
  because: text.describe("One sentence for the person who is refused."),
  reason_codes: z
    .array(text)
    .min(1)
    .optional()
    .describe("Codes of your own, such as an article; the rule's id where there are none."),
  effective_from: instant.optional().describe("In force from here."),
  effective_to: instant.optional().describe("In force until just before here."),
  suspended: z
    .array(z.strictObject({ from: instant, to: instant }))
    .min(1)
    .optional()
    .describe("Not in force from `from` until just before `to`."),
  makers: z.array(name).min(1).optional().describe("Only models of these makers."),
  tiers: z.array(name).min(1).optional().describe("Only models of these tiers."),
  models: z.array(name).min(1).optional().describe("Only these models."),
  facts_no_older_than_days: natural
    .min(1)
    .optional()
    .describe("Facts that the rule asks for must be shown by evidence no older than this."),
};

const tenantsIn = ruleCountries.describe("Only tenants registered, led or ultimately owned in one of these.");
const audience = z.enum(["internal", "public-facing"]).optional().describe("Only tenants that serve these with the models.");
const tenantScope = { ...scope, tenants_in: tenantsIn.optional(), audience };
const ruling = {
  decision: z
    .enum(["deny", "review", "degrade"])
    .optional()
    .describe("What follows where the rule matches; `deny` where it is left out. `degrade` needs `to_model` or `without`."),
  to_model: name.optional().describe("With `degrade`: the lesser model that answers instead."),
  without: z.literal("log_probabilities").optional().describe("With `degrade`: what is left out of the request."),
};
const listNames = z.array(text).min(1);
const percent = z
  .number()
  .min(0)
  .max(100)
  .refine((value) => Number.isInteger(Math.round(value * 1e6) / 1e4), "write at most two decimals");
/** Words that an end use is known by, as tenants declare it. */
const endUses = z.array(text).min(1);

export const ruleEntry: z.ZodType<RuleEntry> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("weights_location"),
    ...tenantScope,
    never_in: ruleCountries.describe("Where the weights must not be, hence no deployment that may process there is used."),
  }),
  z.strictObject({ kind: z.literal("own_jurisdiction"), ...scope }),
  z.strictObject({
    kind: z.literal("tenant_countries"),
    ...tenantScope,
    allow: ruleCountries.optional().describe("Only deployments that stay within these."),
    deny: ruleCountries.optional().describe("No deployment that may process in these."),
  }),
  z.strictObject({
    kind: z.literal("ownership"),
    ...tenantScope,
    ...ruling,
    owners_in: ruleCountries.optional().describe("Matches tenants registered, led or ultimately owned in one of these."),
    owners_on: listNames.optional().describe("Lists of parties. Matches tenants and owners that stand on one of them."),
    share_at_least_percent: percent
      .optional()
      .describe("Follows the holdings: matched owners together hold at least this share."),
    share_more_than_percent: percent
      .optional()
      .describe("Follows the holdings: matched owners together hold more than this share."),
  }),
  z.strictObject({ kind: z.literal("tier"), ...tenantScope, ...ruling, tiers: z.array(name).min(1), tenants_in: tenantsIn }),
  z.strictObject({
    kind: z.literal("withdrawal"),
    ...tenantScope,
    ...ruling,
    models: z.array(name).min(1).describe("The models that are withdrawn."),
    open_to: ruleCountries.optional().describe("Tenants registered, led and owned in these alone keep them."),
  }),
  z.strictObject({
    kind: z.literal("end_use"),
    ...tenantScope,
    ...ruling,
    denied: endUses.optional().describe("Matches an end use in which one of these stands as whole words."),
    allowed: endUses.optional().describe("Matches every end use that is not one of these."),
  }),
  z.strictObject({
    kind: z.literal("nationality"),
    ...tenantScope,
    ...ruling,
    deny: ruleCountries.optional().describe("Matches end users of these nationalities."),
    allow: ruleCountries.optional().describe("Matches end users of every other nationality."),
  }),
  z.strictObject({
    kind: z.literal("hosted_tools"),
    ...tenantScope,
    ...ruling,
    tools: z.array(z.enum(hostedTools)).describe("Tools that the upstream may run itself; matches requests with any other."),
  }),
  z.strictObject({
    kind: z.literal("log_probabilities"),
    ...tenantScope,
    ...ruling,
    only_with_logit_bias: z.boolean().optional().describe("Matches only where the request shifts scores as well."),
  }),
  z.strictObject({ kind: z.literal("evidence"), ...tenantScope, least: z.enum(evidenceGrades) }),
  z.strictObject({
    kind: z.literal("exemption"),
    ...scope,
    parties_on: listNames.describe("Lists of parties: tenants that stand on one of them are exempt."),
    lifts: z.array(name).min(1).describe("The rules that do not hold for them, by id."),
  }),
]);

/** Every field that the checks across files look at, of whichever kind of rule. */
export interface AnyRuleEntry {
  readonly id: string;
  readonly kind: RuleEntry["kind"];
  readonly decision: "deny" | "review" | "degrade";
  readonly to_model: string;
  readonly without: string;
  readonly effective_from: Date;
  readonly effective_to: Date;
  readonly suspended: readonly Loose<{ readonly from: Date; readonly to: Date }>[];
  readonly makers: readonly string[];
  readonly tiers: readonly string[];
  readonly models: readonly string[];
  readonly tenants_in: readonly string[];
  readonly never_in: readonly string[];
  readonly owners_in: readonly string[];
  readonly owners_on: readonly string[];
  readonly share_at_least_percent: number;
  readonly share_more_than_percent: number;
  readonly open_to: readonly string[];
  readonly parties_on: readonly string[];
  readonly lifts: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly denied: readonly string[];
  readonly allowed: readonly string[];
}

const kinds = [
  "weights_location",
  "own_jurisdiction",
  "tenant_countries",
  "ownership",
  "tier",
  "withdrawal",
  "end_use",
  "nationality",
  "hosted_tools",
  "log_probabilities",
  "evidence",
  "exemption",
] as const satisfies readonly RuleEntry["kind"][];

export const looseRule: z.ZodType<Loose<AnyRuleEntry>> = loosely<AnyRuleEntry>({
  id: name,
  kind: z.enum(kinds),
  decision: z.enum(["deny", "review", "degrade"]),
  to_model: name,
  without: text,
  effective_from: instant,
  effective_to: instant,
  suspended: z.array(loosely<{ from: Date; to: Date }>({ from: instant, to: instant })),
  makers: looseList,
  tiers: looseList,
  models: looseList,
  tenants_in: looseList,
  never_in: looseList,
  owners_in: looseList,
  owners_on: looseList,
  share_at_least_percent: z.number(),
  share_more_than_percent: z.number(),
  open_to: looseList,
  parties_on: looseList,
  lifts: looseList,
  allow: looseList,
  deny: looseList,
  denied: looseList,
  allowed: looseList,
});
