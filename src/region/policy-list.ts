import type { Country } from "./country.ts";

/** Somebody whom a list names. */
export interface ListedParty {
  readonly name: string;
  /** Registers and their numbers, such as `LEI:5493001KJTIIGC8Y1R12`; compared exactly. */
  readonly identifiers: readonly string[];
}

/** One list that somebody else publishes, as it stood when it was taken. */
export type PolicyList = {
  /** Where it was taken from. */
  readonly source: string;
  /** Milliseconds since the epoch: as of when it holds. */
  readonly asOfMs: number;
  /** From `asOfMs` on, how long it may be relied on. */
  readonly greatestAgeMs: number;
  /** SHA-256 over the entries, lower-case hex: two snapshots with one digest list the same. */
  readonly digest: string;
} & (
  | { readonly kind: "parties"; readonly parties: readonly ListedParty[] }
  | { readonly kind: "countries"; readonly countries: ReadonlySet<Country> }
);

/** Whether a list was taken by then: one that is dated later says nothing of now, and would outlive its greatest age. */
export function isTaken(list: PolicyList, atMs: number): boolean {
  return atMs >= list.asOfMs;
}

/** Whether a list is too old to be relied on. */
export function isTooOld(list: PolicyList, atMs: number): boolean {
  return atMs >= list.asOfMs + list.greatestAgeMs;
}
