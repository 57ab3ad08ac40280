import type { Country } from "../region/country.ts";
import type { Policy, Rule } from "../region/policy.ts";
import { isTaken, isTooOld } from "../region/policy-list.ts";
import type { DecisionInputs } from "./decision-inputs.ts";
import { judgeEndUse } from "./end-use.ts";
import { noMatch, strongest, type Found } from "./fact-outcome.ts";
import { certainty, findCountry } from "./facts.ts";
import { checkOf, finding, type Finding } from "./finding.ts";
import type { Horizon } from "./horizon.ts";
import type { ListedParties } from "./listed-parties.ts";
import { findNationality } from "./nationality.ts";
import { findOwners } from "./owners.ts";
import type { SubjectView } from "./subject-view.ts";

/** All that a rule about a tenant or its request may look at. */
export interface Situation {
  readonly inputs: DecisionInputs;
  readonly view: SubjectView;
  readonly policy: Policy;
  readonly listed: ListedParties;
  readonly horizon: Horizon;
}

/**
 * What a rule says to this tenant and request, wherever the work would be done; `undefined` where it is not about them.
 * A rule about deployments says nothing here, unless it is not certain that it is about them.
 */
export function judgeTenant(rule: Rule, situation: Situation): Finding | undefined {
  const concern = concerns(rule, situation);
  const { policy, inputs } = situation;
  if (concern.outcome === "no_match") return undefined;
  const unreliable = unreliableList(rule.lists, policy, inputs.atMs);
  const found = unreliable ?? (concern.outcome === "match" ? find(rule, situation) : concern);
  return finding(checkOf(rule), found, matchReason(rule, found));
}

/** Whether a rule is about this tenant: any outcome but `match` and `no_match` says which fact leaves it open. */
function concerns(rule: Rule, situation: Situation): Found {
  const { inputs, view, policy, horizon } = situation;
  const { tenantsIn, tenantLists, audience } = rule;
  const founds: Found[] = [];
  if (tenantsIn !== undefined) {
    // Whom such a list would mean today, nobody knows.
    const unreliable = unreliableList(tenantLists, policy, inputs.atMs);
    founds.push(unreliable ?? findCountry(view.countries, (country) => tenantsIn.has(country), rule, horizon));
  }
  if (audience !== undefined) {
    const certain = certainty(view.audience, rule, horizon);
    founds.push(certain !== noMatch || view.audience.value !== audience ? certain : { outcome: "match", what: audience });
  }
  if (founds.some(({ outcome }) => outcome === "no_match")) return noMatch;
  return founds.find(({ outcome }) => outcome !== "match") ?? concernsAll;
}

const concernsAll: Found = Object.freeze({ outcome: "match", what: "" });

/** What a rule finds that reads a list which is too old, which is dated later than now, or which there is not. */
export function unreliableList(lists: readonly string[], policy: Pick<Policy, "lists">, atMs: number): Found | undefined {
  for (const name of lists) {
    const snapshot = policy.lists.get(name);
    const what = `the list "${name}" that a rule reads`;
    if (snapshot === undefined) return { outcome: "unknown", what };
    if (!isTaken(snapshot, atMs)) return { outcome: "unknown", what: `${what}, dated later than now,` };
    if (isTooOld(snapshot, atMs)) return { outcome: "stale", what };
  }
  return undefined;
}

/** Whether a rule has something against a tenant that certainly lies in a country. */
export function minds(rule: Rule, country: Country): boolean {
  if (rule.kind === "ownership") return rule.ownersIn.has(country);
  return rule.kind === "withdrawal" && rule.openTo?.has(country) === false;
}

function find(rule: Rule, { inputs, view, listed: lists, horizon }: Situation): Found {
  switch (rule.kind) {
    case "ownership": {
      const seat = findCountry(view.countries, (country) => minds(rule, country), rule, horizon);
      if (rule.share === undefined) return seat;
      const listed: Found = rule.ownersOn.some((name) => lists.isOn(name, inputs.tenant))
        ? { outcome: "match", what: inputs.tenant.name }
        : noMatch;
      const owners = findOwners(inputs.tenant.ownership, rule, rule.share, lists, horizon);
      // Where no country is meant, the three countries tell nothing.
      return strongest(rule.ownersIn.size === 0 ? [listed, owners] : [listed, seat, owners]);
    }
    case "own_jurisdiction":
      return strongest(view.countries.map((fact) => certainty(fact, rule, horizon)));
    case "tier":
      return concernsAll;
    case "withdrawal":
      if (rule.openTo === undefined) return concernsAll;
      return findCountry(view.countries, (country) => minds(rule, country), rule, horizon);
    case "end_use": {
      const certain = certainty(view.endUse, rule, horizon);
      return certain === noMatch ? judgeEndUse(rule, view.endUse) : certain;
    }
    case "nationality":
      return findNationality(rule, inputs.request.endUserNationality);
    case "hosted_tools": {
      const other = inputs.request.hostedTools.find((tool) => !rule.allowed.has(tool));
      return other === undefined ? noMatch : { outcome: "match", what: other };
    }
    case "log_probabilities": {
      const { logProbabilities } = inputs.request;
      const meant = rule.onlyWithLogitBias ? logProbabilities === "asked_with_logit_bias" : logProbabilities !== "none";
      return meant ? { outcome: "match", what: logProbabilities } : noMatch;
    }
    case "exemption": {
      const list = rule.partiesOn.find((name) => lists.isOn(name, inputs.tenant));
      return list === undefined ? noMatch : { outcome: "match", what: list };
    }
    case "weights_location":
    case "tenant_countries":
    case "evidence":
      return noMatch;
  }
}

function matchReason(rule: Rule, { what }: Found): string {
  switch (rule.kind) {
    case "ownership":
      return rule.share === undefined
        ? `the tenant is registered, led or owned in ${what}`
        : `the tenant is registered, led or owned by those whom the rule is about: ${what}`;
    case "tier":
      return "models of this tier are closed to the tenant's countries";
    case "withdrawal":
      return what === "" ? "the model was withdrawn" : `the model was withdrawn from tenants of ${what}`;
    case "end_use":
      return what;
    case "nationality":
      return `the end user is said to be of ${what}`;
    case "hosted_tools":
      return `the upstream would run ${what}`;
    case "log_probabilities":
      return "the request asks for log probabilities";
    case "exemption":
      return `the tenant stands on the list "${what}"`;
    default:
      return what;
  }
}
