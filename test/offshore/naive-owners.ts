import type { Ownership } from "../../src/tenant/ownership.ts";

/** Whether an owner is one of those meant, going by itself and not by who owns it. */
export type Meant = "yes" | "no" | "maybe";

/** What a share is compared with; all of a company is 10,000 basis points. */
export type Reaches = (basisPoints: number) => boolean;

const all = 10_000;

/**
 * Whether those meant hold as much of the tenant as `reaches` asks: directly, and through companies that count as theirs.
 * Worked out twice, as if all that is not known were theirs, and as if none of it were; where the two disagree nobody knows.
 * `counts` says which holdings are shown by evidence that is recent enough. For ownerships without rings.
 */
export function naiveOwners(
  ownership: Ownership | null,
  meantOf: (owner: Ownership["owners"][number]) => Meant,
  reaches: Reaches,
  counts: (holding: Ownership["holdings"][number]) => boolean,
): "match" | "none" | "uncertain" {
  if (ownership === null) return "uncertain";
  const { owners, holdings } = ownership;
  for (const company of new Set(holdings.map(({ of }) => of))) {
    const shares = holdings.filter(({ of }) => of === company).map(({ basisPoints }) => basisPoints ?? 0);
    if (shares.reduce((sum, share) => sum + share, 0) > all) return "uncertain";
  }
  const isTheirs = (company: string, unknownIsTheirs: boolean): boolean => {
    const isOwnerTheirs = (id: string): boolean => {
      const owner = owners.find((each) => each.id === id);
      if (owner === undefined) return unknownIsTheirs;
      const meant = meantOf(owner);
      if (meant === "yes" || (meant === "maybe" && unknownIsTheirs)) return true;
      return owner.kind === "company" && isTheirs(id, unknownIsTheirs);
    };
    let theirs = 0;
    let others = 0;
    for (const holding of holdings.filter(({ of }) => of === company)) {
      if (holding.basisPoints === undefined || !counts(holding)) continue;
      if (isOwnerTheirs(holding.owner)) theirs += holding.basisPoints;
      else others += holding.basisPoints;
    }
    return reaches(unknownIsTheirs ? all - others : theirs);
  };
  if (isTheirs("tenant", false)) return "match";
  return isTheirs("tenant", true) ? "uncertain" : "none";
}
