import type { ConnectionRules } from "../region/connection-rules.ts";
import type { Country } from "../region/country.ts";
import { contains, parseAddress, reachOf, type Address } from "../region/network.ts";

/** By what the address of an upstream was found to be where it is declared to be. */
export type AddressCheck = "networks" | "country-table" | "local" | "not-visible";

/** What a call was connected to. */
export interface Connection {
  /** `undefined` where the runtime shows none; the check is then `not-visible`. */
  readonly address: string | undefined;
  readonly check: AddressCheck;
  /** As the table of addresses has it; `undefined` where it was not asked. */
  readonly country: Country | undefined;
}

/** The country of an address, or why it is not known: no table, an old one, an address that is not in it. */
export type CountryOfAddress = (address: Address) => { readonly country: Country } | { readonly unknown: string };

export type AddressDecision =
  | { readonly ok: true; readonly connection: Connection }
  /** `why` is for the operator: it names the address. */
  | { readonly ok: false; readonly why: string };

/**
 * Whether a request for a region may go to this address. Everything that the region declares must hold, and a region
 * that declares nothing has no address that could be right: a name that resolves to somewhere is no evidence of where.
 */
export function checkAddress(text: string, rules: ConnectionRules | undefined, countryOf: CountryOfAddress): AddressDecision {
  const refuse = (why: string): AddressDecision => ({ ok: false, why: `${text} ${why}` });
  const address = parseAddress(text);
  if (address === undefined) return refuse("is no address");
  const reach = reachOf(address);
  if (rules === undefined) return refuse("cannot be checked: the region declares neither networks nor a country of its address");
  if (rules.networks.length > 0 && !rules.networks.some((network) => contains(network, address)))
    return refuse("is in none of the region's networks");
  if (rules.local) {
    if (reach !== "private") return refuse(`is ${reach}, and the region is declared local`);
    return { ok: true, connection: { address: text, check: "local", country: undefined } };
  }
  if (reach !== "public") return refuse(`is ${reach}, and the region is not declared local`);
  if (rules.addressCountry === undefined) {
    if (rules.networks.length === 0) return refuse("cannot be checked: the region declares nothing of its address");
    return { ok: true, connection: { address: text, check: "networks", country: undefined } };
  }
  const found = countryOf(address);
  if ("unknown" in found) return refuse(`is in an unknown country: ${found.unknown}`);
  const { country } = found;
  if (country !== rules.addressCountry) return refuse(`is in ${country}, declared is ${rules.addressCountry}`);
  return { ok: true, connection: { address: text, check: rules.networks.length > 0 ? "networks" : "country-table", country } };
}
