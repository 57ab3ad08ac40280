import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concerns, hits } from "../../src/revocation/matches.ts";
import { scopeMembers, type RevocationScope } from "../../src/revocation/order.ts";
import { Revocations } from "../../src/revocation/revocations.ts";
import { deployment } from "../support/catalogue.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { permitFor, tenant } from "../support/permits.ts";
import { MemoryPath } from "./memory-path.ts";
import { order } from "./orders.ts";

const place = deployment("aaa");
const permit = permitFor([place]);
const subject = { tenant, keyId: "abcdefgh", model: permit.model };

/** Of each member of a scope: what hits this request, and what does not. */
const values: Readonly<Record<keyof RevocationScope, readonly [hit: string, miss: string]>> = {
  model: [permit.model.id, "another-model"],
  tier: [permit.model.tier, "another-tier"],
  tenant: [tenant.id, "another_tenant"],
  key: [subject.keyId, "zzzzzzzz"],
  tenantCountry: [tenant.facts.registeredCountry ?? "", "BR"],
  country: [place.region.country, "BR"],
  deployment: [place.id, "nowhere/zzz"],
  region: [place.region.id, "nowhere"],
};

/** What each member is to the request. */
type Chosen = Readonly<Record<keyof RevocationScope, "absent" | "hit" | "miss">>;

const absent = Object.fromEntries(scopeMembers.map((name) => [name, "absent"])) as Chosen;
const member = fc.constantFrom<Chosen["model"]>("absent", "absent", "hit", "hit", "miss");
const combination: fc.Arbitrary<Chosen> = fc.record(
  Object.fromEntries(scopeMembers.map((name) => [name, member])) as Record<keyof RevocationScope, typeof member>,
);

function scopeOf(chosen: Chosen): RevocationScope {
  return Object.fromEntries(
    scopeMembers.filter((name) => chosen[name] !== "absent").map((name) => [name, values[name][chosen[name] === "hit" ? 0 : 1]]),
  );
}

describe("any combination of what an order may name", () => {
  it("hits a request if and only if each of them does, and holds on every replica until the very instant at which it expires", () => {
    const seen = { hit: 0, missed: 0 };
    fc.assert(
      fc.property(combination, fc.integer({ min: 1, max: 86_400_000 }), (chosen, lastsMs) => {
        fc.pre(Object.values(chosen).some((one) => one !== "absent"));
        const clock = new FakeClock();
        const one = order("1", scopeOf(chosen), { expiresAtMs: clock.nowMs() + lastsMs });
        const isHit = !Object.values(chosen).includes("miss");
        seen[isHit ? "hit" : "missed"] += 1;
        expect(concerns(one, subject) && hits(one, place)).toBe(isHit);
        const replicas = ["a", "b", "c"].map((id) => {
          const paths = [new MemoryPath("sqlite", false)];
          return new Revocations({ paths, replica: { id, name: id, startedAtMs: 0 }, clock, elapsed: clock, stalenessMs: 1_000 });
        });
        // Nobody tells them that it has expired.
        for (const replica of replicas) replica.learn([one], "test");
        const refused = (): readonly boolean[] => replicas.map((replica) => !replica.standing(permit, subject).ok);
        expect(refused()).toEqual([isHit, isHit, isHit]);
        clock.advance(lastsMs - 1);
        expect(refused()).toEqual([isHit, isHit, isHit]);
        clock.advance(1);
        expect(refused()).toEqual([false, false, false]);
      }),
      { numRuns: 1_000, examples: scopeMembers.map((only): [Chosen, number] => [{ ...absent, [only]: "hit" }, 1_000]) },
    );
    expect(seen.hit).toBeGreaterThan(20);
    expect(seen.missed).toBeGreaterThan(200);
  });
});
