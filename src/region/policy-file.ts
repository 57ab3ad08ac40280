import { z } from "zod";
import { evidenceGrades, type EvidenceGrade } from "./catalogue.ts";
import { country, countryList, instant, looseList, loosely, name, text, type Loose } from "./fields.ts";

export interface GroupEntry {
  readonly countries: readonly string[];
  readonly jurisdiction?: boolean | undefined;
}

interface ScopeEntry {
  readonly id: string;
  readonly because: string;
  readonly effective_from?: Date | undefined;
  readonly effective_to?: Date | undefined;
  readonly makers?: readonly string[] | undefined;
  readonly tiers?: readonly string[] | undefined;
  readonly models?: readonly string[] | undefined;
}

interface TenantScopeEntry extends ScopeEntry {
  readonly tenants_in?: readonly string[] | undefined;
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
  | (ScopeEntry & { readonly kind: "ownership"; readonly owners_in: readonly string[] })
  | (ScopeEntry & { readonly kind: "tier"; readonly tiers: readonly string[]; readonly tenants_in: readonly string[] })
  | (TenantScopeEntry & {
      readonly kind: "end_use";
      readonly denied?: readonly string[] | undefined;
      readonly allowed?: readonly string[] | undefined;
    })
  | (TenantScopeEntry & { readonly kind: "evidence"; readonly least: EvidenceGrade });

const scope = {
  id: name.describe("Named in refusals and receipts."),
  because: text.describe("One sentence for the person who is refused."),
  effective_from: instant.optional().describe("In force from here."),
  effective_to: instant.optional().describe("In force until just before here."),
  makers: z.array(name).min(1).optional().describe("Only models of these makers."),
  tiers: z.array(name).min(1).optional().describe("Only models of these tiers."),
  models: z.array(name).min(1).optional().describe("Only these models."),
};

const someCountries = countryList.min(1);
const tenantsIn = someCountries.describe("Only tenants registered, led or ultimately owned in one of these.");
const tenantScope = { ...scope, tenants_in: tenantsIn.optional() };
/** Words that an end use is known by, as tenants declare it. */
const endUses = z.array(text).min(1);

const ruleEntry: z.ZodType<RuleEntry> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("weights_location"),
    ...tenantScope,
    never_in: someCountries.describe("Where the weights must not be, hence no deployment that may process there is used."),
  }),
  z.strictObject({ kind: z.literal("own_jurisdiction"), ...scope }),
  z.strictObject({
    kind: z.literal("tenant_countries"),
    ...tenantScope,
    allow: someCountries.optional().describe("Only deployments that stay within these."),
    deny: someCountries.optional().describe("No deployment that may process in these."),
  }),
  z.strictObject({
    kind: z.literal("ownership"),
    ...scope,
    owners_in: someCountries.describe("Refuses tenants registered, led or ultimately owned in one of these."),
  }),
  z.strictObject({ kind: z.literal("tier"), ...scope, tiers: z.array(name).min(1), tenants_in: tenantsIn }),
  z.strictObject({
    kind: z.literal("end_use"),
    ...tenantScope,
    denied: endUses.optional().describe("Refuses an end use in which one of these stands as whole words."),
    allowed: endUses.optional().describe("Refuses every end use that is not one of these."),
  }),
  z.strictObject({ kind: z.literal("evidence"), ...tenantScope, least: z.enum(evidenceGrades) }),
]);

const head = {
  version: text.describe("Stands in every receipt: change it with every change of a rule."),
  home: countryList.optional().describe("The countries whose companies are served from offshore."),
  groups: z
    .record(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, `.`, `_` and `-`"),
      z.strictObject({
        countries: z.array(country).min(1),
        jurisdiction: z.boolean().optional().describe("Its countries count as one jurisdiction."),
      }),
    )
    .optional()
    .describe("Countries under one name, written `group:NAME` in lists."),
};

export interface PolicyEntry {
  readonly version: string;
  readonly home?: readonly string[] | undefined;
  readonly groups?: Readonly<Record<string, GroupEntry>> | undefined;
  readonly rules: readonly RuleEntry[];
}

export const policyFile: z.ZodType<PolicyEntry> = z
  .strictObject({ ...head, rules: z.array(ruleEntry).min(1) })
  .meta({ title: "The policy of Strait" });

export const loosePolicy: z.ZodType<Loose<Omit<PolicyEntry, "rules">>> = loosely<Omit<PolicyEntry, "rules">>({
  ...head,
  home: looseList,
  groups: z.record(z.string(), z.object({ countries: looseList.catch([]), jurisdiction: z.boolean().optional().catch(false) })),
});

/** Every field that the checks across files look at, of whichever kind of rule. */
export interface AnyRuleEntry {
  readonly id: string;
  readonly kind: RuleEntry["kind"];
  readonly effective_from: Date;
  readonly effective_to: Date;
  readonly makers: readonly string[];
  readonly tiers: readonly string[];
  readonly models: readonly string[];
  readonly tenants_in: readonly string[];
  readonly never_in: readonly string[];
  readonly owners_in: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly denied: readonly string[];
  readonly allowed: readonly string[];
}

export const looseRule: z.ZodType<Loose<AnyRuleEntry>> = loosely<AnyRuleEntry>({
  id: name,
  kind: z.enum(["weights_location", "own_jurisdiction", "tenant_countries", "ownership", "tier", "end_use", "evidence"]),
  effective_from: instant,
  effective_to: instant,
  makers: looseList,
  tiers: looseList,
  models: looseList,
  tenants_in: looseList,
  never_in: looseList,
  owners_in: looseList,
  allow: looseList,
  deny: looseList,
  denied: looseList,
  allowed: looseList,
});
