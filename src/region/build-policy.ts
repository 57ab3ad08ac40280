import type { Country } from "./country.ts";
import { frozenMap, frozenSet } from "./frozen.ts";
import { readGroups, resolveCountries, type Groups } from "./groups.ts";
import type { EffectiveDates } from "./policy-bundle.ts";
import type { PolicyEntry, RuleEntry } from "./policy-file.ts";
import type { Policy, Rule, RuleScope } from "./policy.ts";

/** The policy of a file that was checked, in the bundle of this digest and these dates. */
export function buildPolicy(entry: PolicyEntry, digest: string, dates: EffectiveDates): Policy {
  const groups = readGroups(entry.groups ?? {});
  const rules = Object.freeze(entry.rules.map((rule) => Object.freeze(buildRule(rule, groups))));
  return Object.freeze({
    version: entry.version,
    digest,
    ...dates,
    groups,
    jurisdictions: jurisdictionsOf(entry, groups),
    home: resolveCountries(entry.home ?? [], groups),
    rules,
    boundariesMs: boundariesOf([...rules, dates]),
  });
}

function jurisdictionsOf(entry: PolicyEntry, groups: Groups): ReadonlyMap<Country, ReadonlySet<Country>> {
  const names = Object.entries(entry.groups ?? {}).flatMap(([name, group]) => (group.jurisdiction === true ? [name] : []));
  const sets = names.map((name) => groups.get(name) ?? frozenSet<Country>([]));
  return frozenMap(sets.flatMap((countries) => [...countries].map((country) => [country, countries] as const)));
}

function buildRule(rule: RuleEntry, groups: Groups): Rule {
  const countries = (list: readonly string[]): ReadonlySet<Country> => resolveCountries(list, groups);
  const scope = buildScope(rule, groups);
  switch (rule.kind) {
    case "weights_location":
      return { ...scope, kind: rule.kind, neverIn: countries(rule.never_in) };
    case "own_jurisdiction":
    case "tier":
      return { ...scope, kind: rule.kind };
    case "tenant_countries":
      return { ...scope, kind: rule.kind, allow: rule.allow && countries(rule.allow), deny: countries(rule.deny ?? []) };
    case "ownership":
      return { ...scope, kind: rule.kind, ownersIn: countries(rule.owners_in) };
    case "end_use":
      return {
        ...scope,
        kind: rule.kind,
        denied: Object.freeze([...(rule.denied ?? [])]),
        allowed: rule.allowed && Object.freeze([...rule.allowed]),
      };
    case "evidence":
      return { ...scope, kind: rule.kind, least: rule.least };
  }
}

function buildScope(rule: RuleEntry, groups: Groups): RuleScope {
  return {
    id: rule.id,
    because: rule.because,
    effectiveFromMs: rule.effective_from?.getTime(),
    effectiveToMs: rule.effective_to?.getTime(),
    makers: rule.makers && frozenSet(rule.makers),
    tiers: rule.tiers && frozenSet(rule.tiers),
    models: rule.models && frozenSet(rule.models),
    tenantsIn: "tenants_in" in rule && rule.tenants_in !== undefined ? resolveCountries(rule.tenants_in, groups) : undefined,
  };
}

function boundariesOf(dated: readonly EffectiveDates[]): readonly number[] {
  const instants = dated
    .flatMap(({ effectiveFromMs, effectiveToMs }) => [effectiveFromMs, effectiveToMs])
    .filter((instant) => instant !== undefined);
  return Object.freeze([...new Set(instants)].sort((a, b) => a - b));
}
