import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRecord, replay, Worlds, type DecisionRecord } from "../../src/bundle/replay.ts";
import { candidatesRefused } from "../../src/ledger/candidates-refused.ts";
import { refusalRecord } from "../../src/ledger/refusal-record.ts";
import { authorise } from "../../src/policy/authorise.ts";
import type { World } from "../../src/policy/world.ts";
import { surfaces, type Surface } from "../../src/region/catalogue.ts";
import { readCatalogue } from "../../src/region/read-catalogue.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { tenantIn } from "../policy/policy-fixture.ts";
import { catalogueOf, sha256, shippedFiles } from "../region/regions-fixture.ts";

const shipped = catalogueOf(shippedFiles());
const worlds = new Worlds();
worlds.add(shipped);

const country = fc.constantFrom(undefined, "CN", "HK", "SG", "US", "DE", "RU", "IR", "JP", "FR");
const drawnTenant = fc
  .record({
    registeredCountry: country,
    headquartersCountry: country,
    ultimateParentCountry: country,
    endUse: fc.constantFrom(undefined, "research", "military logistics", "software"),
    audience: fc.constantFrom(undefined, "internal", "public-facing"),
    state: fc.constantFrom("verified", "verified", "verified", "suspended"),
    tiers: fc.subarray(["frontier", "standard"]),
    leastEvidence: fc.constantFrom(undefined, "attested", "contractual-geography"),
    denyCountries: fc.subarray(["US", "group:CN", "DE"]),
  })
  .map(({ state, tiers, leastEvidence, denyCountries, ...facts }): Tenant =>
    tenantIn("SG", {
      facts,
      tiers,
      leastEvidence: leastEvidence as Tenant["leastEvidence"],
      denyCountries,
      verification: { state, since: "2026-01-01T00:00:00Z", evidence: "document 1" },
    }),
  );
const drawnRequest = fc.record({
  tenant: drawnTenant,
  modelName: fc.constantFrom(...shipped.catalogue.modelNames.keys()),
  surface: fc.constantFrom<Surface>(...surfaces),
  atMs: fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) }),
});

/** What stands in a receipt of the decision, as it reads from an export. */
function recordOf(asked: typeof drawnRequest extends fc.Arbitrary<infer Value> ? Value : never, world: World): DecisionRecord {
  const { atMs, ...request } = asked;
  const decision = authorise(request, world.policy, world.catalogue, atMs);
  const { digest: policyDigest } = world.policy;
  const { digest: catalogueDigest } = world.catalogue;
  const common = { requestId: "r", policyDigest, catalogueDigest };
  const record: DecisionRecord = decision.ok
    ? {
        ...common,
        inputs: decision.value.inputs,
        model: decision.value.model.id,
        rules: decision.value.rules,
        attempts: decision.value.deployments.map(({ id }) => ({ deployment: id })),
        degradations: decision.value.degradations,
        candidatesRefused: candidatesRefused(decision.value.refused),
        end: "completed",
      }
    : {
        ...common,
        inputs: decision.inputs,
        refusal: refusalRecord(decision.refusal),
        candidatesRefused: candidatesRefused(decision.refused),
        end: "refused",
      };
  const read = parseRecord(JSON.stringify(record));
  if (read === undefined) throw new Error("a record is not read again");
  return read;
}

describe("a decision that is made again", () => {
  it("is the same, by its inputs and the digests of what it was made by, over thousands of them", () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(drawnRequest, (asked) => {
        const record = recordOf(asked, shipped);
        ends.add(record.refusal?.kind ?? record.end);
        expect(replay(record, worlds)).toEqual({ result: "same" });
      }),
      { numRuns: 5_000 },
    );
    expect(ends.size).toBeGreaterThan(5);
  });

  it("differs where the receipt says something else than was decided", () => {
    let differed = 0;
    fc.assert(
      fc.property(drawnRequest, fc.nat(11), (asked, which) => {
        const record = recordOf(asked, shipped);
        const changed: DecisionRecord =
          record.end === "refused"
            ? ([
                { ...record, end: "completed", refusal: undefined },
                { ...record, refusal: { kind: record.refusal?.kind === "fact_unknown" ? "policy_denied" : "fact_unknown" } },
                { ...record, refusal: { kind: "policy_denied", reasons: ["whim"] } },
                { ...record, candidatesRefused: [{ rule: "whim", reason: "so", deployments: ["a/b"] }] },
              ][which % 4] ?? record)
            : ([
                { ...record, end: "refused", refusal: { kind: "policy_denied" } },
                { ...record, model: "another" },
                { ...record, rules: record.rules?.slice(1) },
                { ...record, attempts: [{ deployment: "chinanorth3/gpt-4o" }] },
                { ...record, degradations: [{ rule: "whim", without: "log_probabilities" }] },
                { ...record, candidatesRefused: [{ rule: "whim", reason: "so", deployments: ["a/b"] }] },
              ][which % 6] ?? record);
        expect(replay(changed, worlds)).toMatchObject({ result: "different" });
        differed += 1;
      }),
      { numRuns: 500 },
    );
    expect(differed).toBe(500);
  });

  it("needs the very policy and catalogue, and what it was decided by", () => {
    const asked = {
      tenant: tenantIn("SG"),
      modelName: "gpt-4.1",
      surface: "chat.completions",
      atMs: Date.UTC(2026, 10, 25),
    } as const;
    const record = recordOf(asked, shipped);
    const later = readCatalogue(shippedFiles(), sha256, { effectiveFromMs: 0 });
    if (!later.ok) throw new Error("the shipped files do not hold");
    expect(replay({ ...record, policyDigest: later.policy.digest }, worlds)).toMatchObject({ result: "without_world" });
    const both = new Worlds();
    both.add(shipped);
    both.add(later);
    expect(replay({ ...record, policyDigest: later.policy.digest }, both)).toEqual({ result: "same" });
    expect(replay({ ...record, inputs: undefined }, worlds)).toEqual({ result: "without_inputs" });
    const refusedBy = (kind: string): DecisionRecord => ({ ...record, inputs: undefined, end: "refused", refusal: { kind } });
    for (const kind of ["policy_denied", "tenant_not_verified", "model_not_found"])
      expect(replay(refusedBy(kind), worlds)).toEqual({ result: "without_inputs" });
    for (const kind of ["key_scope", "invalid_json", "response_not_found"])
      expect(replay(refusedBy(kind), worlds)).toEqual({ result: "not_decided", by: kind });
    expect(parseRecord('{"cursor":"c1"}')).toBeUndefined();
    expect(parseRecord("no JSON")).toBeUndefined();
  });
});
