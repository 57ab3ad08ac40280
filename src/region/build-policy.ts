import type { Sha256 } from "../clock.ts";
import { buildRule } from "./build-rule.ts";
import type { Country } from "./country.ts";
import { frozenMap, frozenSet } from "./frozen.ts";
import { readGroups, resolveCountries, withLists, type Groups } from "./groups.ts";
import { buildInvariant } from "./invariant-entry.ts";
import { listDigest } from "./list-digest.ts";
import type { EffectiveDates } from "./policy-bundle.ts";
import type { PolicyEntry } from "./policy-file.ts";
import type { PolicyListEntry } from "./policy-list-entry.ts";
import type { PolicyList } from "./policy-list.ts";
import type { Policy, Rule } from "./policy.ts";
import { buildRetention } from "./retention-entry.ts";

const dayMs = 86_400_000;

/** The policy of a file that was checked, in the bundle of this digest and these dates. */
export function buildPolicy(entry: PolicyEntry, digest: string, dates: EffectiveDates, sha256: Sha256): Policy {
  const lists = frozenMap(
    Object.entries(entry.lists ?? {}).map(([name, list]) => [name, Object.freeze(buildList(list, sha256))] as const),
  );
  const groups = readGroups(entry.groups ?? {});
  const named = withLists(groups, countryLists(entry.lists ?? {}));
  const rules = Object.freeze(entry.rules.map((rule) => Object.freeze(buildRule(rule, named))));
  return Object.freeze({
    version: entry.version,
    digest,
    ...dates,
    groups,
    jurisdictions: jurisdictionsOf(entry, groups),
    home: resolveCountries(entry.home ?? [], groups),
    lists,
    rules,
    invariants: Object.freeze((entry.invariants ?? []).map((invariant) => buildInvariant(invariant, named))),
    retention: frozenMap(
      Object.entries(entry.retention ?? {}).map(([name, kept]) => [name, Object.freeze(buildRetention(kept))] as const),
    ),
    boundariesMs: boundariesOf(dates, rules, lists.values()),
  });
}

/** Of the lists those that a list of countries in a rule may name. */
export function countryLists<List extends { readonly kind?: string | undefined }>(
  lists: Readonly<Record<string, List>>,
): Readonly<Record<string, readonly Country[]>> {
  const entries = Object.entries(lists).filter(([, list]) => list.kind === "countries");
  return Object.fromEntries(entries.map(([name, list]) => [name, "countries" in list ? (list.countries as Country[]) : []]));
}

function buildList(entry: PolicyListEntry, sha256: Sha256): PolicyList {
  const snapshot = {
    source: entry.source,
    asOfMs: entry.as_of.getTime(),
    greatestAgeMs: entry.greatest_age_days * dayMs,
    digest: listDigest(entry, sha256),
  };
  if (entry.kind === "countries") return { ...snapshot, kind: entry.kind, countries: frozenSet(entry.countries) };
  const parties = entry.parties.map(({ name, identifiers }) =>
    Object.freeze({ name, identifiers: Object.freeze([...(identifiers ?? [])]) }),
  );
  return { ...snapshot, kind: entry.kind, parties: Object.freeze(parties) };
}

function jurisdictionsOf(entry: PolicyEntry, groups: Groups): ReadonlyMap<Country, ReadonlySet<Country>> {
  const names = Object.entries(entry.groups ?? {}).flatMap(([name, group]) => (group.jurisdiction === true ? [name] : []));
  const sets = names.map((name) => groups.get(name) ?? frozenSet<Country>([]));
  return frozenMap(sets.flatMap((countries) => [...countries].map((country) => [country, countries] as const)));
}

/** Every instant at which a decision may change for all tenants at once. */
export function boundariesOf(
  dates: EffectiveDates,
  rules: readonly Rule[],
  lists: Iterable<Pick<PolicyList, "asOfMs" | "greatestAgeMs">>,
): readonly number[] {
  const instants = [dates, ...rules].flatMap(({ effectiveFromMs, effectiveToMs }) => [effectiveFromMs, effectiveToMs]);
  for (const { suspensions } of rules) instants.push(...suspensions.flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
  for (const { asOfMs, greatestAgeMs } of lists) instants.push(asOfMs, asOfMs + greatestAgeMs);
  const known = instants.filter((instant) => instant !== undefined);
  return Object.freeze([...new Set(known)].sort((a, b) => a - b));
}
