import { assignedCountries } from "../region/assigned-countries.ts";
import type { Catalogue } from "../region/catalogue.ts";
import type { Country } from "../region/country.ts";
import { nearNames, suggest } from "./near.ts";
import type { Problem } from "./outcome.ts";

/** Models as the catalogue calls them: an alias is kept as the id it stands for, for the data path compares ids. */
export function checkModels(
  catalogue: Catalogue,
  names: readonly string[],
  pointer: string,
): { ids: string[]; problems: Problem[] } {
  const ids: string[] = [];
  const problems: Problem[] = [];
  names.forEach((name, index) => {
    const id = catalogue.modelNames.get(name);
    if (id !== undefined) {
      if (!ids.includes(id)) ids.push(id);
      return;
    }
    problems.push({ pointer: `${pointer}/${index}`, detail: unknown("model", name, [...catalogue.modelNames.keys()]) });
  });
  return { ids, problems };
}

export function checkModel(catalogue: Catalogue, name: string, pointer: string): { id: string; problems: Problem[] } {
  const id = catalogue.modelNames.get(name);
  if (id !== undefined) return { id, problems: [] };
  return { id: name, problems: [{ pointer, detail: unknown("model", name, [...catalogue.modelNames.keys()]) }] };
}

/** A tier that no model has would entitle to nothing, and is a slip of the pen. */
export function checkTiers(catalogue: Catalogue, tiers: readonly string[], pointer: string): Problem[] {
  return tiers.flatMap((tier, index) => checkTier(catalogue, tier, `${pointer}/${index}`));
}

export function checkTier(catalogue: Catalogue, tier: string, pointer: string): Problem[] {
  const known = new Set([...catalogue.models.values()].map((model) => model.tier));
  return known.has(tier) ? [] : [{ pointer, detail: unknown("tier", tier, [...known]) }];
}

export function checkCountries(countries: readonly Country[], pointer: string): Problem[] {
  return countries.flatMap((country, index) => checkCountry(country, `${pointer}/${index}`));
}

export function checkCountry(country: Country | undefined, pointer: string): Problem[] {
  if (country === undefined || assignedCountries.has(country)) return [];
  return [{ pointer, detail: `\`${country}\` is not an assigned ISO 3166-1 alpha-2 code. ${nearCountry(country)}`.trim() }];
}

/** Offered in the sentence where somebody writes what the country is called, or the code that is reserved beside ISO's. */
function nearCountry(written: string): string {
  const upper = written.toUpperCase();
  if (assignedCountries.has(upper)) return `Write it in upper case: \`${upper}\`.`;
  if (upper === "UK") return "Did you mean `GB`?";
  if (upper === "EL") return "Did you mean `GR`?";
  if (written.length < 3) return "Write two upper-case letters, such as `SG`.";
  const names = new Intl.DisplayNames("en", { type: "region" });
  const codes = new Map([...assignedCountries].map((code) => [names.of(code) ?? code, code]));
  const near = nearNames(written, codes.keys());
  if (near.length === 0) return "Write two upper-case letters, such as `SG`.";
  return `Did you mean ${near.map((name) => `\`${codes.get(name) ?? ""}\` (${name})`).join(" or ")}?`;
}

export function unknown(what: string, name: string, known: readonly string[]): string {
  return `No ${what} is called \`${name}\`. ${suggest(name, known)}`.trim();
}
