import type { KnownModels } from "./check-models.ts";
import type { Country } from "./country.ts";
import { entries, type Document, type Entry } from "./document.ts";
import type { Loose } from "./fields.ts";
import { checkGroups, readGroups, resolveCountries, type Groups } from "./groups.ts";
import { loosePolicy, looseRule, type AnyRuleEntry } from "./policy-file.ts";

/** What the other files may refer to; `undefined` where it cannot be read, so that nobody is told off for naming it. */
export interface KnownPolicy {
  readonly groups: Groups | undefined;
  readonly home: ReadonlySet<Country> | undefined;
}

export function checkPolicyHead(document: Document): KnownPolicy {
  const head = document.parsed ? loosePolicy.safeParse(document.content).data : undefined;
  if (head === undefined) return { groups: undefined, home: undefined };
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
  return { groups, home: groups && resolveCountries(head.home ?? [], groups) };
}

/** Reports what is wrong with the rules beyond their shape. */
export function checkRules(document: Document, groups: Groups | undefined, known: KnownModels | undefined): void {
  if (!document.parsed) return;
  const rules = entries(document, "rules", looseRule);
  const ids = new Set<string>();
  for (const rule of rules) {
    const { index, value } = rule;
    if (value.id !== undefined && ids.has(value.id))
      document.report(["rules", index, "id"], `Another rule is already called ${JSON.stringify(value.id)}.`);
    ids.add(value.id ?? "");
    for (const key of ["tenants_in", "never_in", "owners_in", "allow", "deny"] as const)
      checkGroups(value[key], groups, document, ["rules", index, key]);
    if (known !== undefined) checkNames(document, rule, known);
    checkPurpose(document, rule);
  }
  if (!rules.some(({ index, value }) => value.kind === "own_jurisdiction" && isUnconditional(document, index))) {
    document.report(
      ["rules"],
      "Add a rule of kind own_jurisdiction for all models and without dates: no tenant is served from its own jurisdiction.",
    );
  }
}

type LooseRule = Entry<Loose<AnyRuleEntry>>;

/** A rule for a maker that is misspelt would never refuse anybody. */
function checkNames(document: Document, { index, value }: LooseRule, known: KnownModels): void {
  const names = { makers: known.makers, tiers: known.tiers, models: known.models } as const;
  for (const key of ["makers", "tiers", "models"] as const) {
    value[key]?.forEach((name, position) => {
      if (names[key].has(name)) return;
      document.report(["rules", index, key, position], `models.toml has no ${key.slice(0, -1)} ${JSON.stringify(name)}.`);
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
  return ["effective_from", "effective_to", "makers", "tiers", "models"].every((key) => !Object.hasOwn(rule, key));
}
