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

/** Which of several lists name somebody. Spelling a name plainly costs more than looking it up, so that is done once. */
export function listsNaming(party: Party, lists: readonly PolicyList[]): readonly PolicyList[] {
  const plain = plainParty(party);
  return lists.filter((list) => list.kind === "parties" && isNamed(plain, indexOf(list)));
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
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .join(" ");
}

function plainIdentifier(identifier: string): string {
  return identifier.replaceAll(/\s/g, "").toUpperCase();
}
