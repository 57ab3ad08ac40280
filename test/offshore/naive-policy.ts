/**
 * What the documentation says of a policy (README.md, the comments of regions/policy.toml), done as simply as it can be: no
 * memory, no compilation, no order of precedence beyond what decides. Works on the files as they are written, and shares
 * no code with what it is compared with.
 */
import type { DeploymentEntry, RegionEntry } from "../../src/region/region-file.ts";
import type { ModelEntry } from "../../src/region/models-file.ts";
import type { PolicyEntry } from "../../src/region/policy-file.ts";
import type { RuleEntry } from "../../src/region/rule-entry.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { naiveOwners } from "./naive-owners.ts";

export interface WrittenWorld {
  readonly models: readonly ModelEntry[];
  readonly regions: readonly RegionEntry[];
  readonly policy: PolicyEntry;
}

export interface NaiveRequest {
  readonly tenant: Tenant;
  readonly model: string;
  readonly surface: string;
  readonly hostedTools: readonly string[];
  readonly logProbabilities: "none" | "asked" | "asked_with_logit_bias";
  /** As the client claims it. */
  readonly nationality: string | undefined;
}

export type NaiveDecision =
  | { readonly permitted: false; readonly because: string }
  | {
      readonly permitted: true;
      readonly model: string;
      /** Ids of deployments. */
      readonly deployments: readonly string[];
      readonly withoutLogProbabilities: boolean;
    };

type Found = "match" | "none" | "uncertain";
type Fact = "registeredCountry" | "headquartersCountry" | "ultimateParentCountry" | "endUse" | "audience";
const countryFacts = ["registeredCountry", "headquartersCountry", "ultimateParentCountry"] as const;
const dayMs = 86_400_000;
/** What the drawn worlds know of; any other code is no country's. */
const realCountries = new Set(["CN", "HK", "MO", "SG", "JP", "US", "DE", "SE", "RU", "IR"]);
const grades = ["attested", "contractual-geography", "contractual-zone", "none"];
const gradesOfSkus: Readonly<Record<string, string>> = {
  Standard: "contractual-geography",
  DataZoneStandard: "contractual-zone",
  GlobalStandard: "none",
  InferenceGeo: "attested",
  Global: "none",
};
const mayBeLifted = new Set(["ownership", "tier", "withdrawal", "end_use", "nationality", "hosted_tools", "log_probabilities"]);

export function deploymentId(region: RegionEntry, entry: DeploymentEntry): string {
  return `${region.id}/${entry.name ?? entry.model}`;
}

export function naiveDecision(world: WrittenWorld, request: NaiveRequest, atMs: number): NaiveDecision {
  const refused = (because: string): NaiveDecision => ({ permitted: false, because });
  const { verification } = request.tenant;
  if (verification.state !== "verified") return refused("not verified");
  if (verification.expiresAt !== undefined && atMs >= Date.parse(verification.expiresAt)) return refused("evidence expired");

  let withoutLogProbabilities = false;
  const applied: string[] = [];
  const tried: string[] = [];
  let model = world.models.find(({ id, aliases = [] }) => [id, ...aliases].includes(request.model));
  for (;;) {
    if (model === undefined || tried.includes(model.id)) return refused("no such model");
    tried.push(model.id);
    const { id } = model;
    if (!world.regions.some(({ deployments }) => deployments.some((each) => each.model === id)))
      return refused("nobody hosts it");
    if (!request.tenant.tiers.includes(model.tier)) return refused("tier not bought");
    const findings = findAll(world.policy, model, request, atMs);
    const objecting = findings.find(({ effect }) => effect === "refuse");
    if (objecting !== undefined) return refused(objecting.by);
    withoutLogProbabilities ||= findings.some(({ effect }) => effect === "without");
    const replacing = findings.find(({ effect, by, to }) => effect === "replace" && !applied.includes(by) && to !== id);
    if (replacing === undefined) {
      const deployments = admissible(world, model, request, atMs);
      return deployments.length === 0
        ? refused("no place")
        : { permitted: true, model: model.id, deployments, withoutLogProbabilities };
    }
    applied.push(replacing.by);
    model = world.models.find((other) => other.id === replacing.to);
  }
}

interface Finding {
  readonly by: string;
  readonly effect: "refuse" | "replace" | "without" | "nothing";
  readonly to?: string | undefined;
}

/** What speaks against the request, wherever it would run. */
function findAll(policy: PolicyEntry, model: ModelEntry, request: NaiveRequest, atMs: number): Finding[] {
  const looking = policy.rules.filter((rule) => isInForce(rule, atMs) && looksAt(rule, model));
  const lifted = new Set<string>();
  for (const rule of looking) {
    if (rule.kind !== "exemption" || isAged(policy, rule, atMs)) continue;
    if (rule.parties_on.some((name) => isParty(policy, name, request.tenant))) for (const id of rule.lifts) lifted.add(id);
  }
  const about = looking.map((rule) => [rule, concerns(policy, rule, request.tenant, atMs)] as const);
  const findings = about.flatMap(([rule, concern]): Finding[] => {
    if (rule.kind === "exemption" || concern === "none") return [];
    if (mayBeLifted.has(rule.kind) && lifted.has(rule.id)) return [];
    const found = isAged(policy, rule, atMs) || concern === "uncertain" ? "uncertain" : find(policy, rule, request, atMs);
    return found === "none" ? [] : [effectOf(rule, found)];
  });
  // Of which nobody knows whether it is about the tenant, and which an exemption lifts, says nothing of what is allowed.
  const isAsked = (kind: string): boolean =>
    about.some(
      ([rule, concern]) => rule.kind === kind && (concern === "match" || (concern === "uncertain" && !lifted.has(rule.id))),
    );
  const refuse = (by: string): void => void findings.push({ by, effect: "refuse" });
  if (request.hostedTools.length > 0 && !isAsked("hosted_tools")) refuse("hosted tools");
  if (request.logProbabilities === "asked_with_logit_bias" && !isAsked("log_probabilities")) refuse("extraction");
  if (request.tenant.denyCountries.some((entry) => countriesOf(policy, [entry]).length === 0)) refuse("deny list");
  return findings;
}

function effectOf(rule: RuleEntry, found: Found): Finding {
  if (found === "match" && "decision" in rule && rule.decision === "degrade")
    return rule.to_model === undefined
      ? { by: rule.id, effect: "without" }
      : { by: rule.id, effect: "replace", to: rule.to_model };
  return { by: rule.id, effect: "refuse" };
}

function isInForce({ effective_from: from, effective_to: to, suspended = [] }: RuleEntry, atMs: number): boolean {
  if (from !== undefined && atMs < from.getTime()) return false;
  if (to !== undefined && atMs >= to.getTime()) return false;
  return !suspended.some((each) => atMs >= each.from.getTime() && atMs < each.to.getTime());
}

function looksAt({ makers, tiers, models }: RuleEntry, { maker, tier, id }: ModelEntry): boolean {
  return (makers?.includes(maker) ?? true) && (tiers?.includes(tier) ?? true) && (models?.includes(id) ?? true);
}

/** Whether the rule is for this tenant. */
function concerns(policy: PolicyEntry, rule: RuleEntry, tenant: Tenant, atMs: number): Found {
  const conditions: Found[] = [];
  if ("tenants_in" in rule && rule.tenants_in !== undefined) {
    const meant = countriesOf(policy, rule.tenants_in);
    const aged = rule.tenants_in.some((entry) => entry.startsWith("list:") && isTooOld(policy, entry.slice(5), atMs));
    conditions.push(aged ? "uncertain" : anyCountry(tenant, rule, atMs, (country) => meant.includes(country)));
  }
  if ("audience" in rule && rule.audience !== undefined) {
    const value = certain(tenant, "audience", rule, atMs);
    conditions.push(value === undefined ? "uncertain" : value === rule.audience ? "match" : "none");
  }
  if (conditions.includes("none")) return "none";
  return conditions.includes("uncertain") ? "uncertain" : "match";
}

function find(policy: PolicyEntry, rule: RuleEntry, request: NaiveRequest, atMs: number): Found {
  const { tenant } = request;
  const matches = (does: boolean): Found => (does ? "match" : "none");
  switch (rule.kind) {
    case "own_jurisdiction":
      return countryFacts.every((fact) => certain(tenant, fact, rule, atMs) !== undefined) ? "none" : "uncertain";
    case "ownership": {
      const meant = countriesOf(policy, rule.owners_in ?? []);
      const seat = rule.owners_in === undefined ? "none" : anyCountry(tenant, rule, atMs, (country) => meant.includes(country));
      const share = rule.share_at_least_percent ?? rule.share_more_than_percent;
      if (share === undefined) return seat;
      const isListed = (party: Parameters<typeof isParty>[2]): boolean =>
        (rule.owners_on ?? []).some((name) => isParty(policy, name, party));
      const owners = naiveOwners(
        tenant.ownership ?? null,
        (owner) => {
          if (owner.kind === "dispersed") return "no";
          if (isListed(owner)) return "yes";
          if (owner.country === undefined) return rule.owners_in === undefined ? "no" : "maybe";
          return meant.includes(owner.country) ? "yes" : "no";
        },
        (held) => (rule.share_at_least_percent === undefined ? held > share * 100 : held >= share * 100),
        ({ asOf }) => isRecent(asOf, rule, atMs),
      );
      const all = new Set([matches(isListed(tenant)), seat, owners]);
      return all.has("match") ? "match" : all.has("uncertain") ? "uncertain" : "none";
    }
    case "tier":
      return "match";
    case "withdrawal": {
      const open = rule.open_to === undefined ? undefined : countriesOf(policy, rule.open_to);
      return open === undefined ? "match" : anyCountry(tenant, rule, atMs, (country) => !open.includes(country));
    }
    case "end_use": {
      const use = certain(tenant, "endUse", rule, atMs);
      if (use === undefined) return "uncertain";
      const isDenied = (rule.denied ?? []).some((term) => use.split(/[ -]/).includes(term));
      return matches(isDenied || rule.allowed?.includes(use) === false);
    }
    case "nationality": {
      const { nationality } = request;
      if (nationality === undefined || !realCountries.has(nationality)) return "uncertain";
      const isAllowed = rule.allow === undefined || countriesOf(policy, rule.allow).includes(nationality);
      return matches(!isAllowed || countriesOf(policy, rule.deny ?? []).includes(nationality));
    }
    case "hosted_tools":
      return matches(request.hostedTools.some((tool) => !(rule.tools as readonly string[]).includes(tool)));
    case "log_probabilities":
      return matches(
        request.logProbabilities === "asked_with_logit_bias" ||
          (request.logProbabilities === "asked" && rule.only_with_logit_bias !== true),
      );
    case "weights_location":
    case "tenant_countries":
    case "evidence":
    case "exemption":
      return "none";
  }
}

/** The model's deployments to which nothing objects, where the tenant is served at all. */
function admissible(world: WrittenWorld, model: ModelEntry, request: NaiveRequest, atMs: number): string[] {
  const { policy, regions } = world;
  const { tenant } = request;
  const rules = policy.rules.filter(
    (rule) => isInForce(rule, atMs) && looksAt(rule, model) && concerns(policy, rule, tenant, atMs) !== "none",
  );
  const own = ownCountries(policy, tenant);
  const isAdmissible = (region: RegionEntry, entry: DeploymentEntry): boolean => {
    if (entry.model !== model.id || !surfacesOf(entry, region, model).includes(request.surface)) return false;
    const places = placesOf(policy, region, entry);
    // Nobody knows where it would run, or it may run everywhere: then it may run where it must not.
    const mayBeIn = (countries: readonly string[]): boolean =>
      countries.length > 0 && (places === undefined || places.some((place) => countries.includes(place)));
    const staysIn = (countries: readonly string[]): boolean =>
      places !== undefined && places.every((place) => countries.includes(place));
    const grade = (least: string): boolean => grades.indexOf(gradesOfSkus[entry.sku] ?? "") <= grades.indexOf(least);
    if (entry.countries === "unknown") return false;
    if (mayBeIn(countriesOf(policy, model.weights_not_in))) return false;
    if (mayBeIn(countriesOf(policy, tenant.denyCountries))) return false;
    if (tenant.allowCountries !== undefined && !staysIn(countriesOf(policy, tenant.allowCountries))) return false;
    if (tenant.leastEvidence !== undefined && !grade(tenant.leastEvidence)) return false;
    return rules.every((rule) => {
      switch (rule.kind) {
        case "weights_location":
          return !mayBeIn(countriesOf(policy, rule.never_in));
        case "own_jurisdiction":
          return !mayBeIn(own);
        case "tenant_countries":
          return (
            !mayBeIn(countriesOf(policy, rule.deny ?? [])) &&
            (rule.allow === undefined || staysIn(countriesOf(policy, rule.allow)))
          );
        case "evidence":
          return grade(rule.least);
        default:
          return true;
      }
    });
  };
  return regions.flatMap((region) =>
    region.deployments.flatMap((entry) => (isAdmissible(region, entry) ? [deploymentId(region, entry)] : [])),
  );
}

/** Where it may process; `undefined`: anywhere, or nobody knows. */
export function placesOf(
  policy: PolicyEntry,
  { geography }: RegionEntry,
  { countries, sku }: DeploymentEntry,
): readonly string[] | undefined {
  if (typeof countries === "object") return countriesOf(policy, countries);
  return sku === "Standard" ? geography?.countries : undefined;
}

function surfacesOf(entry: DeploymentEntry, { wire }: RegionEntry, model: ModelEntry): readonly string[] {
  const spoken =
    wire === "anthropic" ? ["messages", "count_tokens"] : ["chat.completions", "responses", "completions", "embeddings"];
  return entry.surfaces ?? model.surfaces.filter((surface) => spoken.includes(surface));
}

/** Every country that any document says of the tenant, with all that are one jurisdiction with it. */
function ownCountries(policy: PolicyEntry, { facts, factsEvidence = {} }: Tenant): readonly string[] {
  const said = countryFacts.flatMap((fact) => [
    facts[fact],
    ...(factsEvidence[fact]?.contradictions ?? []).map(({ value }) => value),
  ]);
  const jurisdictions = Object.values(policy.groups ?? {}).filter(({ jurisdiction }) => jurisdiction === true);
  return said.flatMap((country) => {
    if (country === undefined) return [];
    return [country, ...jurisdictions.flatMap(({ countries }) => (countries.includes(country) ? countries : []))];
  });
}

function anyCountry(tenant: Tenant, rule: RuleEntry, atMs: number, isMeant: (country: string) => boolean): Found {
  const values = countryFacts.map((fact) => certain(tenant, fact, rule, atMs));
  if (values.some((value) => value !== undefined && isMeant(value))) return "match";
  return values.includes(undefined) ? "uncertain" : "none";
}

/** A fact that may be relied on: known, undisputed, and shown by evidence that is recent enough. */
function certain({ facts, factsEvidence = {} }: Tenant, fact: Fact, rule: RuleEntry, atMs: number): string | undefined {
  const value = facts[fact];
  const evidence = factsEvidence[fact];
  if (value === undefined || value === "") return undefined;
  if (fact !== "endUse" && fact !== "audience" && !realCountries.has(value)) return undefined;
  if ((evidence?.contradictions ?? []).some((other) => other.value !== value)) return undefined;
  return isRecent(evidence?.asOf, rule, atMs) ? value : undefined;
}

function isRecent(asOf: string | undefined, { facts_no_older_than_days: days }: RuleEntry, atMs: number): boolean {
  return days === undefined || (asOf !== undefined && atMs < Date.parse(asOf) + days * dayMs);
}

/** Whether a list that the rule reads is too old to be relied on. */
function isAged(policy: PolicyEntry, rule: RuleEntry, atMs: number): boolean {
  const named = Object.entries(rule).flatMap(([key, value]) => {
    if (!Array.isArray(value)) return [];
    if (key === "owners_on" || key === "parties_on") return value as string[];
    return value.flatMap((entry) => (typeof entry === "string" && entry.startsWith("list:") ? [entry.slice(5)] : []));
  });
  return named.some((name) => isTooOld(policy, name, atMs));
}

function isTooOld({ lists = {} }: PolicyEntry, name: string, atMs: number): boolean {
  const list = lists[name];
  return list === undefined || atMs < list.as_of.getTime() || atMs >= list.as_of.getTime() + list.greatest_age_days * dayMs;
}

/** By the very name, or by a number in a register. */
function isParty(
  { lists = {} }: PolicyEntry,
  name: string,
  party: { readonly name: string; readonly identifiers?: readonly string[] | undefined },
): boolean {
  const list = lists[name];
  if (list?.kind !== "parties") return false;
  return list.parties.some(
    (entry) => entry.name === party.name || (entry.identifiers ?? []).some((id) => (party.identifiers ?? []).includes(id)),
  );
}

/** Countries, groups and lists as one list of countries; what names nothing stands for none. */
function countriesOf({ groups = {}, lists = {} }: PolicyEntry, entries: readonly string[]): readonly string[] {
  return entries.flatMap((entry) => {
    if (entry.startsWith("group:")) return groups[entry.slice(6)]?.countries ?? [];
    if (!entry.startsWith("list:")) return realCountries.has(entry) ? [entry] : [];
    const list = lists[entry.slice(5)];
    return list?.kind === "countries" ? list.countries : [];
  });
}
