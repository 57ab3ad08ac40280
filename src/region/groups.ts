import type { Country } from "./country.ts";
import type { Document } from "./document.ts";
import { groupPrefix } from "./fields.ts";
import { frozenMap, frozenSet } from "./frozen.ts";
import type { GroupEntry } from "./policy-file.ts";
import type { TomlPath } from "./toml-lines.ts";

export type Groups = ReadonlyMap<string, ReadonlySet<Country>>;

export function readGroups(groups: Readonly<Record<string, GroupEntry>>): Groups {
  return frozenMap(Object.entries(groups).map(([name, group]) => [name, frozenSet(group.countries)] as const));
}

/** A list of countries and groups as one set. */
export function resolveCountries(list: readonly string[], groups: Groups): ReadonlySet<Country> {
  return frozenSet(
    list.flatMap((entry) => (entry.startsWith(groupPrefix) ? [...(groups.get(groupName(entry)) ?? [])] : [entry])),
  );
}

/** Reports each group of a list that the policy has not. `groups` is `undefined` where the policy could not be read. */
export function checkGroups(
  list: readonly string[] | undefined,
  groups: Groups | undefined,
  document: Document,
  path: TomlPath,
): void {
  list?.forEach((entry, index) => {
    if (groups === undefined || !entry.startsWith(groupPrefix) || groups.has(groupName(entry))) return;
    document.report([...path, index], `The policy has no group ${JSON.stringify(groupName(entry))}.`);
  });
}

function groupName(entry: string): string {
  return entry.slice(groupPrefix.length);
}
