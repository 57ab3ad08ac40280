import type { Sha256 } from "../clock.ts";
import { countryLists } from "./build-policy.ts";
import type { KnownModels } from "./check-models.ts";
import { checkRulings } from "./check-rulings.ts";
import type { Country } from "./country.ts";
import { entries, type Document, type Entry } from "./document.ts";
import type { Loose } from "./fields.ts";
import { checkGroups, readGroups, resolveCountries, withLists, type Groups } from "./groups.ts";
import { looseInvariant } from "./invariant-entry.ts";
import { listDigest } from "./list-digest.ts";
import { policyListEntry } from "./policy-list-entry.ts";
import { loosePolicy } from "./policy-file.ts";
import { retentionEntry } from "./retention-entry.ts";
import { looseRule, type AnyRuleEntry } from "./rule-entry.ts";

/** What the other files may refer to; `undefined` where it cannot be read, so that nobody is told off for naming it. */
export interface KnownPolicy {
  readonly groups: Groups | undefined;
  readonly home: ReadonlySet<Country> | undefined;
  /** The lists of parties; the lists of countries are in `named`. */
  readonly parties: ReadonlySet<string>;
  /** The groups, and the lists of countries beside them: what rules may name. */
  readonly named: Groups | undefined;
}

export function checkPolicyHead(document: Document): KnownPolicy {
  const head = document.parsed ? loosePolicy.safeParse(document.content).data : undefined;
  if (head === undefined) return { groups: undefined, home: undefined, parties: new Set(), named: undefined };
  const unreadable = head.groups === undefined && "groups" in document.content;
  const groups = unreadable ? undefined : readGroups(head.groups ?? {});
  checkGroups(head.home, groups, document, ["home"]);
  const taken = new Set<Country>();
  for (const [name, group] of Object.entries(head.groups ?? {})) {
    if (group.jurisdiction !== true) continue;
    group.countries.forEach((country, index) => {
      if (country !== "" && taken.has(country))
        document.report(["groups", name, "countries", index], `${country} stands in two groups that are jurisdictions.`);
      taken.add(country);
    });
  }
  const lists = head.lists ?? {};
  return {
    groups,
    home: groups && resolveCountries(head.home ?? [], groups),
    parties: new Set(Object.entries(lists).flatMap(([name, list]) => (list.kind === "parties" ? [name] : []))),
    named: groups && withLists(groups, countryLists(lists)),
  };
}

/** A list whose entries are no longer those that its digest was made of was changed by somebody, or cut off on its way. */
export function checkLists(document: Document, sha256: Sha256): void {
  const lists = document.content["lists"];
  if (typeof lists !== "object" || lists === null) return;
  for (const [name, written] of Object.entries(lists)) {
    const list = policyListEntry.safeParse(written).data;
    if (list?.digest === undefined) continue;
    const digest = listDigest(list, sha256);
    if (digest !== list.digest)
      document.report(["lists", name, "digest"], `The list's digest is ${digest}: its entries are not those that were taken.`);
  }
}

/** Reports what is wrong with the rules beyond their shape. */
export function checkRules(document: Document, policy: KnownPolicy, known: KnownModels | undefined): void {
  if (!document.parsed) return;
  const rules = entries(document, "rules", looseRule);
  const ids = new Set<string>();
  for (const rule of rules) {
    const { index, value } = rule;
    if (value.id !== undefined && ids.has(value.id))
      document.report(["rules", index, "id"], `Another rule is already called ${JSON.stringify(value.id)}.`);
    ids.add(value.id ?? "");
    for (const key of ["tenants_in", "never_in", "owners_in", "open_to", "allow", "deny"] as const)
      checkGroups(value[key], policy.named, document, ["rules", index, key]);
    if (known !== undefined) checkNames(document, ["rules", index], value, known);
    checkPurpose(document, rule);
  }
  checkRulings(document, rules, policy.parties, known);
  if (!rules.some(({ index, value }) => value.kind === "own_jurisdiction" && isUnconditional(document, index))) {
    document.report(
      ["rules"],
      "Add a rule of kind own_jurisdiction for all models and without dates: no tenant is served from its own jurisdiction.",
    );
  }
}

/** A class for a tier that is misspelt would keep nothing that its author meant to be kept. */
export function checkRetention(document: Document, known: KnownModels | undefined): void {
  const classes = document.content["retention"];
  if (known === undefined || typeof classes !== "object" || classes === null) return;
  for (const [name, written] of Object.entries(classes)) {
    const entry = retentionEntry.safeParse(written).data;
    if (entry !== undefined) checkNames(document, ["retention", name], entry, known);
  }
}

/** An invariant that names what is not there would hold for nothing. */
export function checkInvariants(document: Document, policy: KnownPolicy, known: KnownModels | undefined): void {
  for (const { index, value } of entries(document, "invariants", looseInvariant)) {
    for (const key of ["tenants_in", "owners_in", "never_in"] as const)
      checkGroups(value[key], policy.named, document, ["invariants", index, key]);
    if (known !== undefined) checkNames(document, ["invariants", index], value, known);
  }
}

type Named = Loose<Pick<AnyRuleEntry, "makers" | "tiers" | "models">>;
type LooseRule = Entry<Loose<AnyRuleEntry>>;

/** A rule for a maker that is misspelt would never refuse anybody. */
function checkNames(document: Document, path: readonly (string | number)[], value: Named, known: KnownModels): void {
  const names = { makers: known.makers, tiers: known.tiers, models: known.models } as const;
  for (const key of ["makers", "tiers", "models"] as const) {
    value[key]?.forEach((name, position) => {
      if (names[key].has(name)) return;
      document.report([...path, key, position], `models.toml has no ${key.slice(0, -1)} ${JSON.stringify(name)}.`);
    });
  }
}

/** A rule that asks for nothing, or is never in force, is not what its author meant. */
function checkPurpose(document: Document, { index, value }: LooseRule): void {
  const { effective_from: from, effective_to: to } = value;
  if (from !== undefined && to !== undefined && to <= from) {
    document.report(
      ["rules", index, "effective_to"],
      "effective_to is not after effective_from: the rule would never be in force.",
    );
  }
  value.suspended?.forEach((stretch, position) => {
    if (stretch.from === undefined || stretch.to === undefined || stretch.to > stretch.from) return;
    document.report(
      ["rules", index, "suspended", position],
      "The suspension's end is not after its beginning: it would never hold.",
    );
  });
  if (value.kind === "nationality" && value.allow === undefined && value.deny === undefined) {
    document.report(["rules", index], "Give allow, deny or both: this rule asks for nothing.");
  }
  if (value.kind === "ownership" && value.owners_in === undefined && value.owners_on === undefined) {
    document.report(["rules", index], "Give owners_in, owners_on or both: this rule asks for nothing.");
  }
  if (value.kind === "tenant_countries" && value.allow === undefined && value.deny === undefined) {
    document.report(["rules", index], "Give allow, deny or both: this rule asks for nothing.");
  }
  if (value.kind === "end_use" && value.denied === undefined && value.allowed === undefined) {
    document.report(["rules", index], "Give denied, allowed or both: this rule asks for nothing.");
  }
}

/**
 * The promise that a tenant is not served from its own jurisdiction is the product's: a policy that forgets it, or lets
 * it lapse, would break it without anybody deciding so.
 */
function isUnconditional(document: Document, index: number): boolean {
  const rule = (document.content["rules"] as readonly object[])[index] ?? {};
  return ["effective_from", "effective_to", "suspended", "makers", "tiers", "models"].every((key) => !Object.hasOwn(rule, key));
}
