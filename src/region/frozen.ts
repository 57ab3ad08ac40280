/**
 * `Object.freeze` leaves a Map or Set open: its entries are not properties. A country set that grew after it was checked
 * would send a prompt to where no rule looked, so those of the catalogue and the policy throw when somebody changes them.
 */
export function frozenSet<Value>(values: Iterable<Value>): ReadonlySet<Value> {
  return closed(new Set(values), ["add", "delete", "clear"]);
}

export function frozenMap<Key, Value>(entries: Iterable<readonly [Key, Value]>): ReadonlyMap<Key, Value> {
  return closed(new Map(entries), ["set", "delete", "clear"]);
}

function closed<Collection extends object>(collection: Collection, mutators: readonly string[]): Collection {
  for (const name of mutators) Object.defineProperty(collection, name, { value: refuseChange });
  return Object.freeze(collection);
}

function refuseChange(): never {
  throw new TypeError("This collection is frozen: read the files again instead of changing what was read.");
}
