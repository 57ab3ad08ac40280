import { assignedCountries } from "../region/assigned-countries.ts";
import type { Country } from "../region/country.ts";
import type { Policy, Rule } from "../region/policy.ts";
import { noMatch, type Found } from "./fact-outcome.ts";

/** Where a client says of which nationality its end user is, as ISO 3166-1 alpha-2. Nothing else ever tells: no address does. */
export const nationalityHeader = "x-strait-end-user-nationality";

/** A claim is taken only where a rule asks for it: nobody's nationality is to stand in a receipt for nothing. */
export function nationalityClaim(header: string | undefined, policy: Policy): Country | null {
  const claimed = header?.trim().toUpperCase();
  if (claimed === undefined || !assignedCountries.has(claimed)) return null;
  return policy.rules.some(({ kind }) => kind === "nationality") ? claimed : null;
}

/** Without a claim, or with one that names no country, the nationality is unknown. */
export function findNationality(rule: Extract<Rule, { kind: "nationality" }>, claimed: Country | null): Found {
  if (claimed === null || !assignedCountries.has(claimed))
    return { outcome: "unknown", what: `the end user's nationality (send it in ${nationalityHeader}, such as SG)` };
  const meant = rule.denied.has(claimed) || rule.allowed?.has(claimed) === false;
  return meant ? { outcome: "match", what: claimed } : noMatch;
}
