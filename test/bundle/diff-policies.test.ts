import { describe, expect, it } from "vitest";
import { diffPolicies } from "../../src/bundle/diff-policies.ts";
import type { World } from "../../src/policy/world.ts";
import { catalogueWith, modelOf, policyWith, ruleOf } from "../policy/policy-fixture.ts";

const catalogue = catalogueWith([modelOf("gpt"), [{ countries: ["US"] }, { countries: ["JP"] }]]);
const own = ruleOf("own_jurisdiction", {});
const noJapan = ruleOf("weights_location", { neverIn: new Set(["JP"]) }, { id: "no-japan" });
const closed = ruleOf("tier", {}, { id: "closed", tenantsIn: new Set(["VA"]) });
const world = (policy: World["policy"]): World => ({ catalogue, policy });

describe("the difference of two policies", () => {
  it("is none between a policy and itself, whatever its dates", () => {
    const dated = { ...policyWith(own, closed), effectiveFromMs: 1_000_000 };
    const found = diffPolicies(world(policyWith(own, closed)), world(dated), 0);
    expect(found).toMatchObject({ different: 0, decisions: [], rules: { added: [], removed: [], changed: [] } });
    expect(found.compared).toBeGreaterThan(2);
  });

  it("names the rules that were added, removed and changed, and every kind of tenant for whom that changes something", () => {
    const wider = ruleOf("tier", {}, { id: "closed", tenantsIn: new Set(["VA", "SM"]) });
    const before = world(policyWith(own, closed));
    const found = diffPolicies(before, world(policyWith(own, wider, noJapan)), 0);
    expect(found.rules).toEqual({ added: ["no-japan"], removed: [], changed: ["closed"] });
    const of = (country: string): unknown =>
      found.decisions.find(({ inputs }) => inputs.tenant.registeredCountry?.value === country);
    expect(of("SM")).toMatchObject({ before: "gpt", after: "policy_denied", lost: ["gpt/1", "gpt/2"], gained: [] });
    expect(of("US")).toMatchObject({ before: "gpt", after: "policy_denied", lost: ["gpt/2"] });
    expect(of("VA")).toBeUndefined();
    expect(diffPolicies(world(policyWith(own, wider, noJapan)), before, 0).rules.removed).toEqual(["no-japan"]);
  });

  it("names groups, home countries, jurisdictions and retention classes, which no rule needs to show", () => {
    const china = new Set(["CN", "HK"]);
    const year = { months: 12, records: new Set(["receipts"] as const), tiers: undefined, makers: undefined };
    const before = policyWith(own);
    const after = {
      ...before,
      groups: new Map([...before.groups, ["new", china]]),
      home: new Set([...before.home, "VA"]),
      jurisdictions: new Map([...before.jurisdictions, ["VA", new Set(["VA", "IT"])]]),
      retention: new Map([["short", year]]),
    };
    const longer = { ...after, groups: before.groups, retention: new Map([["short", { ...year, months: 60 }]]) };
    const none = { added: [], removed: [], changed: [] };
    expect(diffPolicies(world(before), world(after), 0)).toMatchObject({
      groups: { ...none, added: ["new"] },
      home: { ...none, added: ["VA"] },
      jurisdictions: { ...none, added: ["VA"] },
      retention: { ...none, added: ["short"] },
    });
    expect(diffPolicies(world(after), world(longer), 0)).toMatchObject({
      groups: { ...none, removed: ["new"] },
      home: none,
      jurisdictions: none,
      retention: { ...none, changed: ["short"] },
    });
  });

  it("names the entries of a list that came and went, and the party for whom that changes something", () => {
    const listed = (...names: readonly string[]): World => {
      const parties = names.map((name) => ({ name, identifiers: [] }));
      const list = {
        kind: "parties",
        source: "a register",
        asOfMs: 0,
        greatestAgeMs: 1_000,
        digest: names.join(),
        parties,
      } as const;
      const owners = ruleOf(
        "ownership",
        { ownersIn: new Set<string>(), ownersOn: ["register"], share: { compare: "at_least", basisPoints: 5_000 } },
        { lists: ["register"] },
      );
      return world({ ...policyWith(own, owners), lists: new Map([["register", list]]) });
    };
    const found = diffPolicies(listed("Old Limited", "Same Limited"), listed("Same Limited", "New Limited"), 1);
    expect(found.listEntries).toEqual([{ list: "register", added: ["New Limited"], removed: ["Old Limited"] }]);
    const names = new Set(found.decisions.map(({ inputs }) => inputs.tenant.name));
    expect(names).toContain("Old Limited");
    expect(names).toContain("New Limited");
    expect(names).not.toContain("Same Limited");
  });
});
