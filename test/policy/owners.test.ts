import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Horizon } from "../../src/policy/horizon.ts";
import { ListedParties } from "../../src/policy/listed-parties.ts";
import { findOwners } from "../../src/policy/owners.ts";
import type { FactOutcome } from "../../src/policy/fact-outcome.ts";
import type { Rule, ShareOperator } from "../../src/region/policy.ts";
import type { Holding, Owner, OwnerKind, Ownership } from "../../src/tenant/ownership.ts";
import { partiesList, policyWithLists, ruleOf } from "./policy-fixture.ts";

const atLeastHalf: ShareOperator = { compare: "at_least", basisPoints: 5_000 };
const moreThanHalf: ShareOperator = { compare: "more_than", basisPoints: 5_000 };
const atMs = Date.UTC(2026, 10, 23);
const listed = new ListedParties(policyWithLists({ listed: partiesList(["Bad Actor Ltd."], atMs, ["LEI:BAD"]) }));

type OwnershipRule = Extract<Rule, { kind: "ownership" }>;
const onList = ruleOf("ownership", { ownersOn: ["listed"] }) as OwnershipRule;

/** `bad` is on the list, every other person or company of these names is in Singapore. */
function owner(id: string, kind: OwnerKind = "person", more: Partial<Owner> = {}): Owner {
  return { id, name: id === "bad" ? "BAD ACTOR, Ltd" : id, kind, country: "SG", identifiers: [], ...more };
}

function holds(holder: string, of: string, percent: number | undefined, asOf = "2026-11-01T00:00:00Z"): Holding {
  return { owner: holder, of, basisPoints: percent === undefined ? undefined : percent * 100, evidence: "doc", asOf };
}

function outcome(owners: readonly Owner[], holdings: readonly Holding[], share = atLeastHalf, rule = onList): FactOutcome {
  return findOwners({ owners, holdings }, rule, share, listed, new Horizon(atMs)).outcome;
}

const people = [owner("bad"), owner("good"), owner("worse", "person", { identifiers: ["lei:bad"] })];

describe("owners of a tenant", () => {
  it("count from exactly half on, or only beyond it, as the rule's operator says", () => {
    const half = [holds("bad", "tenant", 50), holds("good", "tenant", 50)];
    expect(outcome(people, half, atLeastHalf)).toBe("match");
    expect(outcome(people, half, moreThanHalf)).toBe("no_match");
    const more = [holds("bad", "tenant", 50.01), holds("good", "tenant", 49.99)];
    expect(outcome(people, more, moreThanHalf)).toBe("match");
    const less = [holds("bad", "tenant", 49.99), holds("good", "tenant", 50.01)];
    expect(outcome(people, less, atLeastHalf)).toBe("no_match");
  });

  it("count in aggregate, by name or by identifier", () => {
    const both = [holds("bad", "tenant", 30), holds("worse", "tenant", 20), holds("good", "tenant", 50)];
    expect(outcome(people, both)).toBe("match");
    expect(outcome(people, [holds("bad", "tenant", 30), holds("good", "tenant", 70)])).toBe("no_match");
  });

  it("count through companies of which they hold enough, with all that these hold, and not through others", () => {
    const owners = [...people, owner("a", "company"), owner("b", "company")];
    const chain = [holds("bad", "a", 50), holds("good", "a", 50), holds("a", "b", 50), holds("good", "b", 50)];
    expect(outcome(owners, [...chain, holds("b", "tenant", 50), holds("good", "tenant", 50)])).toBe("match");
    const minority = [holds("bad", "a", 49), holds("good", "a", 51), holds("bad", "b", 49), holds("good", "b", 51)];
    expect(outcome(owners, [...minority, holds("a", "tenant", 50), holds("b", "tenant", 50)])).toBe("no_match");
  });

  it("are unknown where what is not resolved could tip the rule, and only there", () => {
    expect(findOwners(null, onList, atLeastHalf, listed, new Horizon(atMs)).outcome).toBe("unknown");
    expect(outcome(people, [])).toBe("unknown");
    expect(outcome(people, [holds("good", "tenant", 50)])).toBe("unknown");
    expect(outcome(people, [holds("good", "tenant", 50)], moreThanHalf)).toBe("no_match");
    expect(outcome(people, [holds("good", "tenant", 51)])).toBe("no_match");
    expect(outcome(people, [holds("good", "tenant", 60), holds("bad", "tenant", undefined)])).toBe("no_match");
    expect(outcome(people, [holds("good", "tenant", 40), holds("bad", "tenant", undefined)])).toBe("unknown");
    expect(outcome(people, [holds("good", "tenant", 40), holds("nobody we know", "tenant", 60)])).toBe("unknown");
    expect(outcome([...people, owner("a", "company")], [holds("a", "tenant", 100)])).toBe("unknown");
    expect(outcome([...people, owner("float", "dispersed")], [holds("float", "tenant", 100)])).toBe("no_match");
  });

  it("in a ring are unknown, unless enough is held from outside", () => {
    const ring = [owner("a", "company"), owner("b", "company")];
    expect(outcome(ring, [holds("a", "b", 100), holds("b", "a", 100), holds("a", "tenant", 100)])).toBe("unknown");
    const outside = [holds("good", "a", 60), holds("b", "a", 40), holds("a", "b", 100), holds("a", "tenant", 100)];
    expect(outcome([...people, ...ring], outside)).toBe("no_match");
    const listed = [holds("bad", "a", 60), holds("b", "a", 40), holds("a", "b", 100), holds("a", "tenant", 100)];
    expect(outcome([...people, ...ring], listed)).toBe("match");
  });

  it("conflict where documents tell different shares, or more than all", () => {
    expect(outcome(people, [holds("good", "tenant", 60), holds("good", "tenant", 70)])).toBe("conflicting");
    expect(outcome(people, [holds("good", "tenant", 60), holds("bad", "tenant", 60)])).toBe("conflicting");
    expect(outcome(people, [holds("good", "tenant", 100), holds("good", "tenant", 100)])).toBe("no_match");
  });

  it("are stale where only documents that are too old show them", () => {
    const aged = { ...onList, factsNoOlderThanMs: 365 * 86_400_000 };
    const old = [holds("good", "tenant", 100, "2024-01-01T00:00:00Z")];
    expect(outcome(people, old, atLeastHalf, aged)).toBe("stale");
    expect(outcome(people, old)).toBe("no_match");
    expect(outcome(people, [holds("bad", "tenant", 100)], atLeastHalf, aged)).toBe("match");
  });

  it("are found by where they are; one whose country is not known may be anywhere", () => {
    const inRussia = ruleOf("ownership", { ownersIn: new Set(["RU"]) }) as OwnershipRule;
    const owners = [
      owner("ru", "person", { country: "RU" }),
      owner("somewhere", "person", { country: undefined }),
      owner("good"),
    ];
    const held = (who: string): FactOutcome => outcome(owners, [holds(who, "tenant", 100)], atLeastHalf, inRussia);
    expect([held("ru"), held("somewhere"), held("good")]).toEqual(["match", "unknown", "no_match"]);
  });
});

const ids = ["a", "b", "c", "d"];
const drawn: fc.Arbitrary<Ownership> = fc
  .record({
    kinds: fc.tuple(...ids.map(() => fc.constantFrom<OwnerKind>("company", "company", "person", "dispersed"))),
    listed: fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 2 }),
    edges: fc.array(
      fc.record({
        owner: fc.constantFrom(...ids),
        of: fc.constantFrom("tenant", "tenant", ...ids),
        percent: fc.option(fc.constantFrom(10, 20, 30, 50, 60, 100), { nil: undefined, freq: 6 }),
      }),
      { maxLength: 7 },
    ),
  })
  .map(({ kinds, listed, edges }) => ({
    owners: ids.map((id, index) => owner(id, kinds[index] ?? "person", listed.includes(id) ? { identifiers: ["LEI:BAD"] } : {})),
    holdings: edges.map((edge) => holds(edge.owner, edge.of, edge.percent)),
  }));

describe("over random ownerships", () => {
  const of = (ownership: Ownership): FactOutcome => findOwners(ownership, onList, atLeastHalf, listed, new Horizon(atMs)).outcome;

  it("learning who holds what was unresolved changes no certain answer", () => {
    const settled = new Map<FactOutcome, number>();
    fc.assert(
      fc.property(drawn, fc.boolean(), (ownership, isListed) => {
        const before = of(ownership);
        settled.set(before, (settled.get(before) ?? 0) + 1);
        if (before !== "match" && before !== "no_match") return;
        // Somebody comes forward who holds all that nobody was known to hold.
        const found = owner("found", "person", isListed ? { identifiers: ["LEI:BAD"] } : {});
        const companies = ["tenant", ...ownership.owners.flatMap(({ id, kind }) => (kind === "company" ? [id] : []))];
        const rests = companies.map((company) => {
          const shares = new Map(
            ownership.holdings.flatMap(({ owner: by, of: held, basisPoints }) =>
              held === company && basisPoints !== undefined ? [[by, basisPoints]] : [],
            ),
          );
          return holds("found", company, 100 - [...shares.values()].reduce((sum, share) => sum + share, 0) / 100);
        });
        expect(of({ owners: [...ownership.owners, found], holdings: [...ownership.holdings, ...rests] })).toBe(before);
      }),
      { numRuns: 2_000 },
    );
    for (const wanted of ["match", "no_match", "unknown", "conflicting"] as const)
      expect(settled.get(wanted) ?? 0).toBeGreaterThan(20);
  });

  it("the order of owners and holdings never matters", () => {
    fc.assert(
      fc.property(drawn, ({ owners, holdings }) => {
        expect(of({ owners: owners.toReversed(), holdings: holdings.toReversed() })).toBe(of({ owners, holdings }));
      }),
    );
  });
});
