import type { Country } from "../region/country.ts";
import type { Rule, ShareOperator } from "../region/policy.ts";
import { tenantItself, wholeBasisPoints, type Holding, type Owner, type Ownership } from "../tenant/ownership.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import { instantOf, isStale, type AgeLimit } from "./facts.ts";
import type { Horizon } from "./horizon.ts";
import { ListedParties } from "./listed-parties.ts";

type OwnershipRule = Extract<Rule, { kind: "ownership" }>;
/** What of a rule says whom it means. */
type OwnersMeant = Pick<OwnershipRule, "ownersIn" | "ownersOn">;

/** Whether somebody is one whom the rule is about, going by what is known of them and not by who owns them. */
type Meant = "yes" | "no" | "maybe";

/** A company's holders, each with its share in basis points; `undefined`: nobody knows how much it holds. */
type Holders = ReadonlyMap<string, ReadonlyMap<string, number | undefined>>;

const noHolders: ReadonlyMap<string, number | undefined> = new Map();

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
  listed: ListedParties,
  horizon: Horizon,
): Found {
  if (ownership === null) return { outcome: "unknown", what: words };
  const { owners, holdings } = ownership;
  const { companies, holders, areContradictory, datesMs } = structureOf(ownership);
  if (areContradictory) return { outcome: "conflicting", what: words };
  const meant = new Map(owners.map((owner) => [owner.id, isMeant(owner, rule, listed)]));
  const fresh = holdings.filter((_, index) => !isStale(datesMs[index], rule, horizon));
  const areFresh = fresh.length === holdings.length;
  const freshHolders = areFresh ? holders : readHoldings(fresh).holders;
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
  /** The whole of the tenant is known to be held by people and by companies of which the same is known: nobody else can hold any of it. */
  readonly isResolved: boolean;
  /** Of each holding; milliseconds since the epoch. */
  readonly datesMs: readonly (number | undefined)[];
}

const structures = new WeakMap<Ownership, Structure>();

function structureOf(ownership: Ownership): Structure {
  const { owners, holdings } = ownership;
  let structure = structures.get(ownership);
  if (structure === undefined) {
    const { holders, areContradictory } = readHoldings(holdings);
    const companies = [tenantItself, ...owners.flatMap(({ id, kind }) => (kind === "company" ? [id] : []))];
    structure = {
      companies,
      holders,
      areContradictory,
      isResolved: !areContradictory && isResolved(ownership, companies, holders),
      datesMs: holdings.map(({ asOf }) => instantOf(asOf)),
    };
    structures.set(ownership, structure);
  }
  return structure;
}

function isMeant(owner: Owner, rule: OwnersMeant, listed: ListedParties): Meant {
  if (owner.kind === "dispersed") return "no";
  if (rule.ownersOn.some((name) => listed.isOn(name, owner))) return "yes";
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
 * Whether all rules that want this share, and facts no older than this, find nothing where they mean none of the owners. Who
 * does not hold a share holds no larger one: then the same is so of every larger share.
 */
export function passesUnmeant(ownership: Ownership | null, share: ShareOperator, limit: AgeLimit, horizon: Horizon): boolean {
  if (ownership === null) return false;
  const { isResolved, datesMs } = structureOf(ownership);
  if (isResolved && !reaches(0, share) && !datesMs.some((dateMs) => isStale(dateMs, limit, horizon))) return true;
  const nobody = { ownersIn: noCountries, ownersOn: [], factsNoOlderThanMs: limit.factsNoOlderThanMs };
  return findOwners(ownership, nobody, share, onNoList, horizon).outcome === "no_match";
}

const noCountries: ReadonlySet<Country> = new Set();
const onNoList = new ListedParties({ lists: new Map() });

/** The smaller comes first. */
export function compareShares(one: ShareOperator, other: ShareOperator): number {
  return one.basisPoints - other.basisPoints || Number(one.compare === "more_than") - Number(other.compare === "more_than");
}

/** Two shares for one holding, or more than all of a company: the documents cannot all be right. */
function readHoldings(holdings: readonly Holding[]): Pick<Structure, "holders" | "areContradictory"> {
  const holders = new Map<string, Map<string, number | undefined>>();
  let areContradictory = false;
  for (const { owner, of, basisPoints } of holdings) {
    let shares = holders.get(of);
    if (shares === undefined) holders.set(of, (shares = new Map()));
    const other = shares.get(owner);
    if (other !== undefined && basisPoints !== undefined && other !== basisPoints) areContradictory = true;
    shares.set(owner, basisPoints ?? other);
  }
  for (const shares of holders.values()) if (sumOf(shares, () => true) > wholeBasisPoints) areContradictory = true;
  return { holders, areContradictory };
}

function sumOf(shares: ReadonlyMap<string, number | undefined>, counts: (owner: string) => boolean): number {
  let sum = 0;
  for (const [owner, basisPoints] of shares) if (counts(owner)) sum += basisPoints ?? 0;
  return sum;
}

/** Grown from the owners that nobody owns, until no company joins them. */
function isResolved({ owners }: Ownership, companies: readonly string[], holders: Holders): boolean {
  const resolved = new Set(owners.flatMap(({ id }) => (companies.includes(id) ? [] : [id])));
  for (let before = -1; before !== resolved.size && !resolved.has(tenantItself);) {
    before = resolved.size;
    for (const company of companies) {
      const held = sumOf(holders.get(company) ?? noHolders, (owner) => resolved.has(owner));
      if (held === wholeBasisPoints) resolved.add(company);
    }
  }
  return resolved.has(tenantItself);
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
      const held = holders.get(company) ?? noHolders;
      if (
        reaches(
          sumOf(held, (owner) => theirs.has(owner)),
          share,
        )
      )
        theirs.add(company);
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
      if (!decided.has(company) && !reaches(mostHeld(holders.get(company) ?? noHolders, theirs, meant), share))
        theirs.delete(company);
    }
  }
  return theirs;
}

/** What those in `theirs` could hold at most: all that is known of them, and all that nobody is known to hold. */
function mostHeld(
  held: ReadonlyMap<string, number | undefined>,
  theirs: ReadonlySet<string>,
  meant: ReadonlyMap<string, Meant>,
): number {
  return wholeBasisPoints - sumOf(held, (owner) => meant.has(owner) && !theirs.has(owner));
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
