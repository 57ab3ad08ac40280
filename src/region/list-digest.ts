import type { Sha256 } from "../clock.ts";
import type { PolicyListEntry } from "./policy-list-entry.ts";

/** SHA-256 over what a list lists, whatever the order in which it is written; lower-case hex. */
export function listDigest(entry: PolicyListEntry, sha256: Sha256): string {
  const lines =
    entry.kind === "countries"
      ? entry.countries.map((country) => JSON.stringify(country))
      : entry.parties.map(({ name, identifiers }) => JSON.stringify([name, [...(identifiers ?? [])].sort()]));
  const bytes = sha256(`${entry.kind}\n${[...new Set(lines)].sort().join("\n")}`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
