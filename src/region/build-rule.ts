import type { Country } from "./country.ts";
import { frozenSet } from "./frozen.ts";
import { listPrefix } from "./fields.ts";
import { resolveCountries, type Groups } from "./groups.ts";
import type { RuleEntry } from "./rule-entry.ts";
import type { Rule, RuleScope, Ruling, ShareOperator } from "./policy.ts";

const dayMs = 86_400_000;

/** One rule of a file that was checked. */
export function buildRule(rule: RuleEntry, groups: Groups): Rule {
  const countries = (list: readonly string[] | undefined): ReadonlySet<Country> => resolveCountries(list ?? [], groups);
  const scope = buildScope(rule, groups);
  switch (rule.kind) {
    case "weights_location":
      return { ...scope, kind: rule.kind, neverIn: countries(rule.never_in) };
    case "own_jurisdiction":
    case "tier":
      return { ...scope, kind: rule.kind };
    case "tenant_countries":
      return { ...scope, kind: rule.kind, allow: rule.allow && countries(rule.allow), deny: countries(rule.deny) };
    case "ownership":
      return {
        ...scope,
        kind: rule.kind,
        ownersIn: countries(rule.owners_in),
        ownersOn: Object.freeze([...(rule.owners_on ?? [])]),
        share: buildShare(rule),
      };
    case "withdrawal":
      return { ...scope, kind: rule.kind, openTo: rule.open_to && countries(rule.open_to) };
    case "end_use":
      return {
        ...scope,
        kind: rule.kind,
        denied: Object.freeze([...(rule.denied ?? [])]),
        allowed: rule.allowed && Object.freeze([...rule.allowed]),
      };
    case "nationality":
      return { ...scope, kind: rule.kind, denied: countries(rule.deny), allowed: rule.allow && countries(rule.allow) };
    case "hosted_tools":
      return { ...scope, kind: rule.kind, allowed: frozenSet(rule.tools) };
    case "log_probabilities":
      return { ...scope, kind: rule.kind, onlyWithLogitBias: rule.only_with_logit_bias ?? false };
    case "evidence":
      return { ...scope, kind: rule.kind, least: rule.least };
    case "exemption":
      return { ...scope, kind: rule.kind, partiesOn: Object.freeze([...rule.parties_on]), lifts: frozenSet(rule.lifts) };
  }
}

function buildScope(rule: RuleEntry, groups: Groups): RuleScope {
  return {
    id: rule.id,
    because: rule.because,
    reasonCodes: Object.freeze([...(rule.reason_codes ?? [rule.id])]),
    effectiveFromMs: rule.effective_from?.getTime(),
    effectiveToMs: rule.effective_to?.getTime(),
    suspensions: Object.freeze(
      (rule.suspended ?? []).map(({ from, to }) => Object.freeze({ fromMs: from.getTime(), toMs: to.getTime() })),
    ),
    makers: rule.makers && frozenSet(rule.makers),
    tiers: rule.tiers && frozenSet(rule.tiers),
    models: rule.models && frozenSet(rule.models),
    tenantsIn: "tenants_in" in rule && rule.tenants_in !== undefined ? resolveCountries(rule.tenants_in, groups) : undefined,
    audience: "audience" in rule ? rule.audience : undefined,
    factsNoOlderThanMs: rule.facts_no_older_than_days === undefined ? undefined : rule.facts_no_older_than_days * dayMs,
    lists: listsOf(rule),
    tenantLists: "tenants_in" in rule ? listsIn(rule.tenants_in ?? []) : [],
    ruling: buildRuling(rule),
  };
}

/** Every list that the rule reads, wherever it names it. */
function listsOf(rule: RuleEntry): readonly string[] {
  const inCountries = listsIn(
    Object.values(rule)
      .filter((value): value is readonly unknown[] => Array.isArray(value))
      .flat(),
  );
  const named = rule.kind === "ownership" ? (rule.owners_on ?? []) : rule.kind === "exemption" ? rule.parties_on : [];
  return Object.freeze([...new Set([...named, ...inCountries])]);
}

function listsIn(entries: readonly unknown[]): readonly string[] {
  return entries
    .filter((entry): entry is string => typeof entry === "string" && entry.startsWith(listPrefix))
    .map((entry) => entry.slice(listPrefix.length));
}

function buildRuling(rule: RuleEntry): Ruling {
  if (rule.kind === "exemption") return { decision: "allow" };
  if (!("decision" in rule) || rule.decision === undefined || rule.decision === "deny") return { decision: "deny" };
  if (rule.decision === "review") return { decision: "review" };
  if (rule.to_model !== undefined) return { decision: "degrade", toModel: rule.to_model };
  return { decision: "degrade", without: "log_probabilities" };
}

function buildShare(rule: Extract<RuleEntry, { kind: "ownership" }>): ShareOperator | undefined {
  if (rule.share_at_least_percent !== undefined)
    return { compare: "at_least", basisPoints: Math.round(rule.share_at_least_percent * 100) };
  if (rule.share_more_than_percent !== undefined)
    return { compare: "more_than", basisPoints: Math.round(rule.share_more_than_percent * 100) };
  return undefined;
}
