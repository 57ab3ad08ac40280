import type { Policy } from "../region/policy.ts";
import type { PolicyList } from "../region/policy-list.ts";

/** Somebody as lists may know them. */
export interface Party {
  readonly name: string;
  readonly identifiers: readonly string[];
}

interface Index {
  readonly names: ReadonlySet<string>;
  readonly identifiers: ReadonlySet<string>;
}

const indexes = new WeakMap<PolicyList, Index>();

/** Whether a list of parties names somebody: by an identifier, or by the name as far as `plainName` tells names apart. */
export function isListed(party: Party, list: PolicyList | undefined): boolean {
  return list?.kind === "parties" && isNamed(plainParty(party), indexOf(list));
}

/**
 * A policy's lists, for one decision: rule after rule looks for the same parties, and to spell a name plainly costs more than
 * to look for it.
 */
export class ListedParties {
  readonly #lists: Policy["lists"];
  readonly #plain = new Map<Party, Party>();

  constructor({ lists }: Pick<Policy, "lists">) {
    this.#lists = lists;
  }

  /** Whether the list of this name names somebody. */
  isOn(name: string, party: Party): boolean {
    const list = this.#lists.get(name);
    if (list?.kind !== "parties") return false;
    let plain = this.#plain.get(party);
    if (plain === undefined) this.#plain.set(party, (plain = plainParty(party)));
    return isNamed(plain, indexOf(list));
  }
}

function plainParty({ name, identifiers }: Party): Party {
  return { name: plainName(name), identifiers: identifiers.map(plainIdentifier) };
}

function isNamed({ name, identifiers }: Party, index: Index): boolean {
  return index.names.has(name) || identifiers.some((identifier) => index.identifiers.has(identifier));
}

function indexOf(list: Extract<PolicyList, { kind: "parties" }>): Index {
  let index = indexes.get(list);
  if (index === undefined) {
    const { parties } = list;
    index = {
      names: new Set(parties.map(({ name }) => plainName(name))),
      identifiers: new Set(parties.flatMap(({ identifiers }) => identifiers.map(plainIdentifier))),
    };
    indexes.set(list, index);
  }
  return index;
}

/** So that `ACME Compañía, S.A.` and `Acme Compania SA` are one: without case, accents, width and punctuation. */
export function plainName(name: string): string {
  return name
    .normalize("NFKD")
    .replaceAll(/[\p{M}\p{P}]/gu, "")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

function plainIdentifier(identifier: string): string {
  return identifier.replaceAll(/\s/g, "").toUpperCase();
}
