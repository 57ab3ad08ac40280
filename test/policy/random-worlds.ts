/** Catalogues, policies, tenants and requests at random, small enough that rules and facts meet often. */
import * as fc from "fast-check";
import { plainRequest, type RequestInputs } from "../../src/policy/decision-inputs.ts";
import { evidenceGrades, type Catalogue, type Surface } from "../../src/region/catalogue.ts";
import { isLiftable } from "../../src/region/liftable.ts";
import type { Policy, Rule, Ruling } from "../../src/region/policy.ts";
import type { PolicyList } from "../../src/region/policy-list.ts";
import type { OwnerKind, Ownership } from "../../src/tenant/ownership.ts";
import type { FactEvidence, Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, modelOf, partiesList, policyWithLists, ruleOf, tenantIn, type Place } from "./policy-fixture.ts";

const country = fc.constantFrom("CN", "HK", "MO", "SG", "JP", "US", "DE", "RU");
const fact = fc.oneof({ weight: 24, arbitrary: country }, { weight: 1, arbitrary: fc.constantFrom(undefined, "XX") });
const countries = fc.uniqueArray(country, { minLength: 1, maxLength: 3 });
const grade = fc.constantFrom(...evidenceGrades);
const maker = fc.constantFrom("openai", "anthropic");
const tier = fc.constantFrom("standard", "frontier");
export const surface: fc.Arbitrary<Surface> = fc.constantFrom<Surface>("chat.completions", "embeddings");
export const instant: fc.Arbitrary<number> = fc.integer({ min: 0, max: 10 });
const setOf = (from: fc.Arbitrary<string>): fc.Arbitrary<ReadonlySet<string>> =>
  fc.uniqueArray(from, { minLength: 1, maxLength: 3 }).map((list) => new Set(list));
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined, freq: 2 });
/** One time in five: a world in which everything refuses would prove nothing. */
const rarely = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

const scope = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  effectiveFromMs: maybe(instant),
  effectiveToMs: maybe(instant),
  suspensions: fc.array(
    fc.tuple(instant, instant).map(([fromMs, toMs]) => ({ fromMs, toMs })),
    { maxLength: 1 },
  ),
  audience: rarely(fc.constantFrom("internal" as const, "public-facing" as const)),
  factsNoOlderThanMs: rarely(fc.integer({ min: 1, max: 8 })),
  makers: maybe(setOf(maker)),
  tiers: maybe(setOf(tier)),
  tenantsIn: maybe(setOf(country)),
});

/** What a rule about tenants or requests may do beside denying. */
const ruling: fc.Arbitrary<Ruling> = fc.constantFrom<Ruling>(
  { decision: "deny" },
  { decision: "deny" },
  { decision: "review" },
  { decision: "degrade", without: "log_probabilities" },
  { decision: "degrade", toModel: "claude" },
  { decision: "degrade", toModel: "gpt" },
);

/** Rules that only refuse: with one more, less is served. */
const refusingRule: fc.Arbitrary<Rule> = scope.chain((narrowing) =>
  fc.oneof(
    setOf(country).map((neverIn) => ruleOf("weights_location", { neverIn }, narrowing)),
    fc
      .tuple(maybe(setOf(country)), setOf(country))
      .map(([allow, deny]) => ruleOf("tenant_countries", { allow, deny }, narrowing)),
    setOf(country).map((ownersIn) => ruleOf("ownership", { ownersIn }, { ...narrowing, tenantsIn: undefined })),
    fc
      .tuple(
        fc.uniqueArray(country, { maxLength: 3 }),
        fc.constantFrom(5_000, 2_500, 0),
        fc.constantFrom("at_least", "more_than"),
      )
      .map(([ownersIn, basisPoints, compare]) =>
        ruleOf(
          "ownership",
          { ownersIn: new Set(ownersIn), ownersOn: ["listed"], share: { compare, basisPoints } },
          { ...narrowing, lists: ["listed"] },
        ),
      ),
    setOf(country).map((tenantsIn) => ruleOf("tier", {}, { ...narrowing, tenantsIn })),
    setOf(country).map((tenantsIn) =>
      ruleOf("weights_location", { neverIn: tenantsIn }, { ...narrowing, tenantsIn, lists: ["short"], tenantLists: ["short"] }),
    ),
    maybe(setOf(country)).map((openTo) => ruleOf("withdrawal", { openTo }, narrowing)),
    fc.constant(ruleOf("end_use", { denied: ["military"], allowed: undefined }, narrowing)),
    fc.constant(ruleOf("end_use", { denied: ["arms trade", "Software!"], allowed: ["software for arms", "cars"] }, narrowing)),
    setOf(country).map((denied) => ruleOf("nationality", { denied, allowed: undefined }, narrowing)),
    fc.constant(ruleOf("hosted_tools", { allowed: new Set(["web_search"] as const) }, narrowing)),
    fc.boolean().map((onlyWithLogitBias) => ruleOf("log_probabilities", { onlyWithLogitBias }, narrowing)),
    grade.map((least) => ruleOf("evidence", { least }, narrowing)),
  ),
);

/** A rule about what a request asks for stands in the place of the refusal that holds where there is none, so it may allow. */
export const narrowingRule: fc.Arbitrary<Rule> = refusingRule.filter(
  ({ kind }) => kind !== "hosted_tools" && kind !== "log_probabilities",
);

const exemption: fc.Arbitrary<Rule> = fc
  .tuple(scope, fc.uniqueArray(fc.constantFrom("rule 0", "rule 1", "rule 2", "rule 3", "rule 4", "own"), { minLength: 1 }))
  .map(([narrowing, lifts]) =>
    ruleOf(
      "exemption",
      { partiesOn: ["trusted"], lifts: new Set(lifts) },
      { ...narrowing, tenantsIn: undefined, lists: ["trusted"] },
    ),
  );

const rule: fc.Arbitrary<Rule> = fc.oneof(
  { weight: 4, arbitrary: refusingRule },
  {
    weight: 4,
    arbitrary: fc
      .tuple(refusingRule, ruling)
      .map(([base, after]) =>
        isLiftable(base.kind) && (base.kind !== "hosted_tools" || after.decision !== "degrade")
          ? { ...base, ruling: after }
          : base,
      ),
  },
  { weight: 2, arbitrary: exemption },
);

/** `short` grows too old in the midst of the instants that are drawn. */
export const lists: Readonly<Record<string, PolicyList>> = {
  trusted: partiesList(["Trusted"]),
  listed: partiesList(["Listed"]),
  short: { ...partiesList([]), greatestAgeMs: 5 },
};

/** A file's ids are unique. */
function numbered(rules: readonly Rule[]): Rule[] {
  return rules.map((each, index) => ({ ...each, id: `rule ${index}` }));
}

export const policies: fc.Arbitrary<Policy> = fc
  .array(rule, { maxLength: 5 })
  .map((rules) => policyWithLists(lists, ruleOf("own_jurisdiction", {}, { id: "own" }), ...numbered(rules)));

/** Without the rule that refuses every tenant of which a country is unknown, so that the other rules must do so. */
export const openPolicies: fc.Arbitrary<Policy> = fc
  .array(rule, { minLength: 1, maxLength: 4 })
  .map((rules) => policyWithLists(lists, ...numbered(rules)));

const place: fc.Arbitrary<Place> = fc.record({
  countries: fc.oneof(
    { weight: 8, arbitrary: countries },
    { weight: 1, arbitrary: fc.constantFrom("anywhere" as const, "unknown" as const) },
  ),
  evidence: grade,
  surfaces: fc.constantFrom<Surface[]>(["chat.completions"], ["embeddings"], ["chat.completions", "embeddings"]),
});

export const catalogues: fc.Arbitrary<Catalogue> = fc
  .tuple(
    ...["gpt", "claude"].map((id) =>
      fc
        .tuple(maker, tier, fc.array(country, { maxLength: 2 }), fc.array(place, { minLength: 2, maxLength: 12 }))
        .map(
          ([by, at, never, places]) =>
            [modelOf(id, { aliases: [`${id}-1`], maker: by, tier: at, weightsNotIn: new Set(never) }), places] as const,
        ),
    ),
  )
  .map((served) => catalogueWith(...served));

const dateOf = (atMs: number): string => new Date(atMs).toISOString();
const shown: fc.Arbitrary<FactEvidence> = fc.tuple(fc.integer({ min: -5, max: 5 }), rarely(country)).map(([asOfMs, other]) => ({
  reference: "doc",
  asOf: dateOf(asOfMs),
  ...(other === undefined ? {} : { contradictions: [{ value: other, reference: "other", asOf: dateOf(asOfMs) }] }),
}));
const ownerIds = ["p", "q", "r"];
const basisPoints = fc.constantFrom(4_000, 5_000, 6_000, 10_000, undefined);
const owner = fc.record({
  name: fc.constantFrom("Somebody", "Somebody", "Listed"),
  kind: fc.constantFrom<OwnerKind>("company", "company", "person", "dispersed"),
  country: fc.oneof({ weight: 5, arbitrary: country }, { weight: 1, arbitrary: fc.constant(undefined) }),
});
/** Owned by one another in all ways, rings and contradictions among them. */
const tangled: fc.Arbitrary<Ownership> = fc
  .tuple(
    fc.tuple(owner, owner, owner),
    fc.array(
      fc.tuple(
        fc.constantFrom(...ownerIds, "x"),
        fc.constantFrom("tenant", "tenant", ...ownerIds),
        basisPoints,
        fc.integer({ min: -5, max: 5 }),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([owners, holdings]) => ({
    owners: owners.map((each, index) => ({ ...each, id: ownerIds[index] ?? "", identifiers: [] })),
    holdings: holdings.map(([holder, of, share, asOfMs]) => ({
      owner: holder,
      of,
      basisPoints: share,
      evidence: "doc",
      asOf: dateOf(asOfMs),
    })),
  }));
const single: fc.Arbitrary<Ownership> = fc
  .tuple(
    country,
    fc.constantFrom("Somebody", "Somebody", "Listed"),
    fc.constantFrom(4_000, 6_000, 10_000),
    fc.integer({ min: -5, max: 5 }),
  )
  .map(([at, name, basisPoints, asOfMs]) => ({
    owners: [{ id: "p", name, kind: "person", country: at, identifiers: [] }],
    holdings: [{ owner: "p", of: "tenant", basisPoints, evidence: "doc", asOf: dateOf(asOfMs) }],
  }));
export const ownerships: fc.Arbitrary<Ownership> = fc.oneof({ weight: 2, arbitrary: single }, { weight: 1, arbitrary: tangled });

export const requests: fc.Arbitrary<RequestInputs> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(plainRequest) },
  {
    weight: 2,
    arbitrary: fc.record<RequestInputs>({
      hostedTools: fc.constantFrom([], [], ["web_search"], ["mcp"]),
      logProbabilities: fc.constantFrom("none", "asked", "asked_with_logit_bias"),
      endUserNationality: fc.option(country),
    }),
  },
);

export const tenants: fc.Arbitrary<Tenant> = fc
  .record({
    seat: country,
    registeredCountry: rarely(fact),
    headquartersCountry: rarely(fact),
    ultimateParentCountry: fc.oneof({ weight: 9, arbitrary: rarely(country) }, { weight: 1, arbitrary: fc.constant("unknown") }),
    endUse: fc.constantFrom("software", "software", "software for arms", "the arms-trade", "military", "?", undefined),
    tiers: rarely(fc.subarray(["standard", "frontier"])).map((some) => some ?? ["standard", "frontier"]),
    allowCountries: rarely(fc.uniqueArray(country, { maxLength: 6 })),
    denyCountries: rarely(fc.array(fc.constantFrom("JP", "DE", "group:CN", "group:moon"), { maxLength: 2 })).map(
      (list) => list ?? [],
    ),
    leastEvidence: rarely(grade),
    name: fc.constantFrom("Tenant A", "Trusted", "Trusted", "Listed"),
    ownership: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 5, arbitrary: ownerships }),
    factsEvidence: fc.record({
      registeredCountry: maybe(shown),
      headquartersCountry: maybe(shown),
      ultimateParentCountry: maybe(shown),
      endUse: maybe(shown),
    }),
    expiresAt: rarely(instant.map(dateOf)),
    audience: fc.constantFrom("internal" as const, "public-facing" as const, undefined),
  })
  .map(
    ({
      seat,
      expiresAt,
      audience,
      registeredCountry = seat,
      headquartersCountry = seat,
      ultimateParentCountry = seat,
      endUse,
      ...others
    }) => {
      const parent = ultimateParentCountry === "unknown" ? undefined : ultimateParentCountry;
      return tenantIn(seat, {
        ...others,
        verification: { state: "verified", since: "", evidence: "doc", expiresAt },
        facts: { registeredCountry, headquartersCountry, ultimateParentCountry: parent, endUse, audience },
      });
    },
  );

interface RandomWorld {
  readonly request: RequestInputs;
  readonly tenant: Tenant;
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  readonly modelName: string;
  readonly surface: Surface;
  readonly atMs: number;
}

export const modelName: fc.Arbitrary<string> = fc.constantFrom("gpt", "gpt-1", "claude", "claude-1", "none");
export const worlds: fc.Arbitrary<RandomWorld> = fc.record({
  request: requests,
  tenant: tenants,
  policy: policies,
  catalogue: catalogues,
  modelName,
  surface,
  atMs: instant,
});
