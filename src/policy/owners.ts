import type { Country } from "../region/country.ts";
import type { Policy, Rule, ShareOperator } from "../region/policy.ts";
import { tenantItself, wholeBasisPoints, type Holding, type Owner, type Ownership } from "../tenant/ownership.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import { instantOf, isStale, type AgeLimit } from "./facts.ts";
import type { Horizon } from "./horizon.ts";
import { isListed } from "./listed-parties.ts";

type OwnershipRule = Extract<Rule, { kind: "ownership" }>;
/** What of a rule says whom it means. */
type OwnersMeant = Pick<OwnershipRule, "ownersIn" | "ownersOn">;

/** Whether somebody is one whom the rule is about, going by what is known of them and not by who owns them. */
type Meant = "yes" | "no" | "maybe";

/** A company's holders, with one entry a holder. */
type Holders = ReadonlyMap<string, readonly { readonly owner: string; readonly basisPoints: number | undefined }[]>;

const words = "who owns your company, and with which share";

/**
 * Whether the owners whom a rule is about hold as much as it says, all of them together, directly or through companies
 * that count as theirs: a company of which they hold that much counts with all that it holds itself, as OFAC counts (its
 * FAQ 401), and not with the product of the shares along the way. Who might own what is not resolved is assumed the worst
 * of: where that could tip the rule the outcome is `unknown`, also where companies own one another in a ring.
 */
export function findOwners(
  ownership: Ownership | null,
  rule: OwnersMeant & AgeLimit,
  share: ShareOperator,
  policy: Pick<Policy, "lists">,
  horizon: Horizon,
): Found {
  if (ownership === null) return { outcome: "unknown", what: words };
  const { owners, holdings } = ownership;
  const { companies, holders, areContradictory, datesMs } = structureOf(ownership);
  if (areContradictory) return { outcome: "conflicting", what: words };
  const meant = new Map(owners.map((owner) => [owner.id, isMeant(owner, rule, policy)]));
  const fresh = holdings.filter((_, index) => !isStale(datesMs[index], rule, horizon));
  const areFresh = fresh.length === holdings.length;
  const freshHolders = areFresh ? holders : holdersOf(fresh);
  const certain = certainlyTheirs(companies, meant, freshHolders, share);
  if (certain.has(tenantItself)) return { outcome: "match", what: namesOf(certain, owners) };
  if (!possiblyTheirs(companies, meant, freshHolders, share).has(tenantItself)) return noMatch;
  const isAge = !areFresh && !possiblyTheirs(companies, meant, holders, share).has(tenantItself);
  return { outcome: isAge ? "stale" : "unknown", what: words };
}

/** What is the same for every rule, worked out once: an ownership does not change. */
interface Structure {
  /** The tenant, and the owners that can be owned themselves. */
  readonly companies: readonly string[];
  readonly holders: Holders;
  readonly areContradictory: boolean;
  /** Of each holding; milliseconds since the epoch. */
  readonly datesMs: readonly (number | undefined)[];
}

const structures = new WeakMap<Ownership, Structure>();

function structureOf(ownership: Ownership): Structure {
  const { owners, holdings } = ownership;
  let structure = structures.get(ownership);
  if (structure === undefined) {
    structure = {
      companies: [tenantItself, ...owners.flatMap(({ id, kind }) => (kind === "company" ? [id] : []))],
      holders: holdersOf(holdings),
      areContradictory: contradict(holdings),
      datesMs: holdings.map(({ asOf }) => instantOf(asOf)),
    };
    structures.set(ownership, structure);
  }
  return structure;
}

function isMeant(owner: Owner, rule: OwnersMeant, policy: Pick<Policy, "lists">): Meant {
  if (owner.kind === "dispersed") return "no";
  if (rule.ownersOn.some((name) => isListed(owner, policy.lists.get(name)))) return "yes";
  return meantByCountry(owner.country, rule);
}

function meantByCountry(country: Country | undefined, { ownersIn }: Pick<OwnershipRule, "ownersIn">): Meant {
  if (country === undefined) return ownersIn.size > 0 ? "maybe" : "no";
  return ownersIn.has(country) ? "yes" : "no";
}

/** Whether a rule may mean somebody of this country, on no list. */
export function mayMean(rule: Pick<OwnershipRule, "ownersIn">, country: Country | undefined): boolean {
  return meantByCountry(country, rule) !== "no";
}

/**
 * What a rule that means none of the owners finds: it depends on its share and its age limit alone. Where shares are
 * missing, also such a rule is open.
 */
export function findUnmeantOwners(
  ownership: Ownership | null,
  share: ShareOperator,
  { factsNoOlderThanMs }: AgeLimit,
  horizon: Horizon,
): Found {
  return findOwners(ownership, { ownersIn: new Set(), ownersOn: [], factsNoOlderThanMs }, share, { lists: new Map() }, horizon);
}

/** Two shares for one holding, or more than all of a company: the documents cannot all be right. */
function contradict(holdings: readonly Holding[]): boolean {
  const shares = new Map<string, number>();
  const sums = new Map<string, number>();
  for (const { owner, of, basisPoints } of holdings) {
    if (basisPoints === undefined) continue;
    const key = JSON.stringify([owner, of]);
    const other = shares.get(key);
    if (other !== undefined && other !== basisPoints) return true;
    if (other !== undefined) continue;
    shares.set(key, basisPoints);
    sums.set(of, (sums.get(of) ?? 0) + basisPoints);
  }
  return [...sums.values()].some((sum) => sum > wholeBasisPoints);
}

function holdersOf(holdings: readonly Holding[]): Holders {
  const holders = new Map<string, Map<string, number | undefined>>();
  for (const { owner, of, basisPoints } of holdings) {
    let shares = holders.get(of);
    if (shares === undefined) holders.set(of, (shares = new Map()));
    shares.set(owner, basisPoints ?? shares.get(owner));
  }
  return new Map([...holders].map(([of, shares]) => [of, [...shares].map(([owner, basisPoints]) => ({ owner, basisPoints }))]));
}

/** Grown from those who are certainly meant, until no company joins them. */
function certainlyTheirs(
  companies: readonly string[],
  meant: ReadonlyMap<string, Meant>,
  holders: Holders,
  share: ShareOperator,
): Set<string> {
  const theirs = new Set([...meant].flatMap(([id, is]) => (is === "yes" ? [id] : [])));
  for (let before = -1; before !== theirs.size;) {
    before = theirs.size;
    for (const company of companies) {
      const held = holders.get(company) ?? [];
      const sum = held.reduce((total, { owner, basisPoints }) => total + (theirs.has(owner) ? (basisPoints ?? 0) : 0), 0);
      if (reaches(sum, share)) theirs.add(company);
    }
  }
  return theirs;
}

/** Shrunk from everybody who could be theirs, until each that is left could still be held by the others that are left. */
function possiblyTheirs(
  companies: readonly string[],
  meant: ReadonlyMap<string, Meant>,
  holders: Holders,
  share: ShareOperator,
): Set<string> {
  const decided = new Set([...meant].flatMap(([id, is]) => (is === "no" ? [] : [id])));
  const theirs = new Set([...companies, ...decided]);
  for (let before = -1; before !== theirs.size;) {
    before = theirs.size;
    for (const company of companies) {
      if (!decided.has(company) && !reaches(mostHeld(holders.get(company) ?? [], theirs, meant), share)) theirs.delete(company);
    }
  }
  return theirs;
}

/** What those in `theirs` could hold at most: all that is known of them, and all that nobody is known to hold. */
function mostHeld(
  held: readonly { readonly owner: string; readonly basisPoints: number | undefined }[],
  theirs: ReadonlySet<string>,
  meant: ReadonlyMap<string, Meant>,
): number {
  const others = held.filter(({ owner }) => meant.has(owner) && !theirs.has(owner));
  return others.reduce((rest, { basisPoints }) => rest - (basisPoints ?? 0), wholeBasisPoints);
}

function reaches(basisPoints: number, share: ShareOperator): boolean {
  return share.compare === "at_least" ? basisPoints >= share.basisPoints : basisPoints > share.basisPoints;
}

/** For the operator who reads the finding. */
function namesOf(ids: ReadonlySet<string>, owners: readonly Owner[]): string {
  return owners
    .filter(({ id }) => ids.has(id))
    .map(({ name }) => name)
    .join(", ");
}
