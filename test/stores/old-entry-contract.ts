import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import type { Rule } from "../../src/region/policy.ts";
import type { DirectoryEntry, Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, dayMs, modelOf, partiesList, policyWithLists, ruleOf } from "../policy/policy-fixture.ts";
import { auditEntry } from "./samples.ts";
import { worldBeginsMs, type OpenStoreWorld, type StoreWorld } from "./store-world.ts";

/**
 * An entry as the first version wrote it, before tenants were legal entities: nothing shows its facts, nobody knows its
 * owners or its number in any register, and what verified it never expires. Frozen: it must not follow the code.
 */
const firstVersion = `{"revision":1,"tenant":{"id":"acme","name":"Acme","facts":{"registeredCountry":"SE",
"headquartersCountry":"SE","ultimateParentCountry":"SE","endUse":"software"},"verification":{"state":"verified",
"since":"2026-01-01T00:00:00Z","evidence":"file 7"},"tiers":["standard"],"denyCountries":[],
"createdAt":"2026-01-01T00:00:00Z"},"keys":[],"limits":[]}`;

/** The same before anybody knew who the company's ultimate parent is. */
const withoutParent = firstVersion.replace('"ultimateParentCountry":"SE",', "");

const lists = {
  restricted: partiesList([], worldBeginsMs, ["LEI:1"]),
  trusted: partiesList([], worldBeginsMs, ["LEI:2"]),
};
const withdrawal = ruleOf("withdrawal", { openTo: undefined });
const share = { compare: "at_least", basisPoints: 5_000 } as const;

/** What rules that ask for more say to the old entry, and what an entry of today adds so that it is admitted. */
const questions: readonly {
  readonly about: string;
  readonly rules: readonly Rule[];
  readonly refusal: string;
  readonly told: Told;
}[] = [
  {
    about: "owners",
    rules: [ruleOf("ownership", { ownersOn: ["restricted"], share }, { lists: ["restricted"] })],
    refusal: "fact_unknown",
    told: { ownership: ownedBy("Somebody") },
  },
  {
    about: "how old what shows a country may be",
    rules: [ruleOf("own_jurisdiction", {}, { factsNoOlderThanMs: 365 * dayMs })],
    refusal: "fact_stale",
    told: { factsEvidence: { registeredCountry: shown(), headquartersCountry: shown(), ultimateParentCountry: shown() } },
  },
  {
    about: "how old what shows an end use may be",
    rules: [ruleOf("end_use", { denied: ["military"], allowed: undefined }, { factsNoOlderThanMs: 365 * dayMs })],
    refusal: "fact_stale",
    told: { factsEvidence: { endUse: shown() } },
  },
  {
    about: "whether it serves the public",
    rules: [ruleOf("tier", {}, { audience: "public-facing" })],
    refusal: "fact_unknown",
    told: { facts: { audience: "internal" } },
  },
  {
    about: "its number in a register, for an exemption",
    rules: [withdrawal, ruleOf("exemption", { partiesOn: ["trusted"], lifts: new Set([withdrawal.id]) }, { lists: ["trusted"] })],
    refusal: "policy_denied",
    told: { identifiers: ["LEI:2"] },
  },
];

type Told = Partial<Omit<Tenant, "facts">> & { readonly facts?: Partial<Tenant["facts"]> };

function shown(): { readonly reference: string; readonly asOf: string } {
  return { reference: "register", asOf: new Date(worldBeginsMs - dayMs).toISOString() };
}

function ownedBy(name: string): Tenant["ownership"] {
  const { reference: evidence, asOf } = shown();
  return {
    owners: [{ id: "all", name, kind: "person", country: "SE", identifiers: [] }],
    holdings: [{ owner: "all", of: "tenant", basisPoints: 10_000, evidence, asOf }],
  };
}

/** What every directory makes of an entry that an earlier version left in it. Imports nothing of a runtime. */
export function oldEntryContract(name: string, openWorld: OpenStoreWorld): void {
  describe(`entries of an earlier version: ${name}`, () => {
    let world: StoreWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    const catalogue = catalogueWith([modelOf("gpt"), [{ countries: ["SG"] }]]);

    /** Written in one form, read by a gateway that has nothing of it in memory, and decided by. */
    async function decided(entry: DirectoryEntry, ...asked: readonly Rule[]): Promise<string> {
      await world.directory.save(entry, auditEntry(String(entry.revision), "acme"));
      await world.restart();
      const found = await world.directory.find("acme");
      if (found === undefined) throw new Error("the entry is not there");
      const request = { tenant: found.tenant, modelName: "gpt", surface: "chat.completions" } as const;
      const decision = authorise(request, policyWithLists(lists, ...asked), catalogue, worldBeginsMs);
      return decision.ok ? "permit" : decision.refusal.kind;
    }

    const read = (text: string): DirectoryEntry => JSON.parse(text) as DirectoryEntry;
    const telling = ({ revision, tenant, ...rest }: DirectoryEntry, told: Told): DirectoryEntry => {
      const facts = { ...tenant.facts, ...told.facts };
      return { ...rest, revision: revision + 1, tenant: { ...tenant, ...told, facts } };
    };

    it("are served by what they say, where no rule asks for more", async () => {
      expect(await decided(read(firstVersion), ruleOf("own_jurisdiction", {}))).toBe("permit");
    });

    it("are refused where they leave open what a rule asks for", async () => {
      const entry = read(withoutParent);
      expect(await decided(entry, ruleOf("own_jurisdiction", {}))).toBe("fact_unknown");
      const told = telling(entry, { facts: { ultimateParentCountry: "SE" } });
      expect(await decided(told, ruleOf("own_jurisdiction", {}))).toBe("permit");
    });

    for (const { about, rules, refusal, told } of questions) {
      it(`know nothing of ${about}, until somebody says so`, async () => {
        const entry = read(firstVersion);
        expect(await decided(entry, ...rules)).toBe(refusal);
        expect(await decided(telling(entry, told), ...rules)).toBe("permit");
      });
    }
  });
}
