import type { Country } from "./country.ts";
import type { Document } from "./document.ts";
import { groupPrefix, listPrefix } from "./fields.ts";
import { frozenMap, frozenSet } from "./frozen.ts";
import type { GroupEntry } from "./policy-file.ts";
import type { TomlPath } from "./toml-lines.ts";

export type Groups = ReadonlyMap<string, ReadonlySet<Country>>;

export function readGroups(groups: Readonly<Record<string, GroupEntry>>): Groups {
  return frozenMap(Object.entries(groups).map(([name, group]) => [name, frozenSet(group.countries)] as const));
}

/** Groups with the lists of countries beside them, for rules name both; a list stands under its name with the prefix. */
export function withLists(groups: Groups, lists: Readonly<Record<string, readonly Country[] | undefined>>): Groups {
  const named = Object.entries(lists).map(([name, countries]) => [`${listPrefix}${name}`, frozenSet(countries ?? [])] as const);
  return frozenMap([...groups, ...named]);
}

/** A list of countries, groups and lists as one set. */
export function resolveCountries(list: readonly string[], groups: Groups): ReadonlySet<Country> {
  return frozenSet(list.flatMap((entry) => (isName(entry) ? [...(groups.get(keyOf(entry)) ?? [])] : [entry])));
}

/** Reports each group and list that the policy has not. `groups` is `undefined` where the policy could not be read. */
export function checkGroups(
  list: readonly string[] | undefined,
  groups: Groups | undefined,
  document: Document,
  path: TomlPath,
): void {
  list?.forEach((entry, index) => {
    if (groups === undefined || !isName(entry) || groups.has(keyOf(entry))) return;
    const message = entry.startsWith(listPrefix)
      ? `The policy has no list of countries ${JSON.stringify(entry.slice(listPrefix.length))}.`
      : `The policy has no group ${JSON.stringify(keyOf(entry))}.`;
    document.report([...path, index], message);
  });
}

function isName(entry: string): boolean {
  return entry.startsWith(groupPrefix) || entry.startsWith(listPrefix);
}

function keyOf(entry: string): string {
  return entry.startsWith(groupPrefix) ? entry.slice(groupPrefix.length) : entry;
}
