/** Worlds that are drawn at random, as an operator would write them: regions, models, policies by date, tenants. */
import fc from "fast-check";
import { stringify } from "smol-toml";
import type { ModelEntry } from "../../src/region/models-file.ts";
import type { PolicyEntry } from "../../src/region/policy-file.ts";
import type { PolicyListEntry } from "../../src/region/policy-list-entry.ts";
import type { CatalogueFile } from "../../src/region/read-catalogue.ts";
import type { DeploymentEntry, RegionEntry } from "../../src/region/region-file.ts";
import type { RuleEntry } from "../../src/region/rule-entry.ts";
import type { Ownership } from "../../src/tenant/ownership.ts";
import type { FactEvidence, Tenant } from "../../src/tenant/tenant.ts";

export const dayMs = 86_400_000;
/** Every drawn world begins here; all dates lie some days before or after. */
export const beginsMs: number = Date.UTC(2026, 0, 10);
const date = (days: number): Date => new Date(beginsMs + days * dayMs);

const country = fc.constantFrom("CN", "HK", "SG", "JP", "US", "DE", "SE", "RU");
/** Mostly where nobody objects, or a world would only ever refuse. */
const place = fc.oneof({ weight: 3, arbitrary: fc.constantFrom("US", "SE") }, { weight: 1, arbitrary: country });
const seat = fc.oneof({ weight: 2, arbitrary: fc.constantFrom("CN", "SG", "DE") }, { weight: 1, arbitrary: country });
const countries = fc.uniqueArray(place, { minLength: 1, maxLength: 2 });
const meant = fc.uniqueArray(fc.constantFrom("group:CN", "list:watched", "HK", "JP", "SG", "DE", "RU", "IR"), {
  minLength: 1,
  maxLength: 2,
});
const day = fc.integer({ min: -6, max: 6 });
const perhaps = <Value>(of: number, value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.oneof({ weight: of - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

/** Without what is `undefined`, as TOML has no word for it. */
function written<Entry extends object>(parts: { readonly [Key in keyof Entry]: Entry[Key] | undefined }): Entry {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Entry;
}

// ---- Models and regions ------------------------------------------------------------------------------------------------

export const modelIds = ["gpt-a", "gpt-b", "claude-a"] as const;

function model(id: string, maker: string, tier: string, weightsNotIn: readonly string[]): ModelEntry {
  return {
    id,
    aliases: [`${id}-alias`],
    display_name: id,
    maker,
    tier,
    created_at: date(-300),
    context_tokens: 100_000,
    max_output_tokens: 1_000,
    surfaces: maker === "anthropic" ? ["messages"] : ["chat.completions", "responses"],
    weights_not_in: weightsNotIn,
    price: { input_micro_usd_per_million: 1_000_000, output_micro_usd_per_million: 4_000_000 },
  };
}

const tier = fc.constantFrom("standard", "frontier");
const weights = fc.constantFrom([], [], ["group:CN"], ["RU", "JP"]);
const models: fc.Arbitrary<readonly ModelEntry[]> = fc
  .tuple(fc.constantFrom(["standard", "frontier"], ["frontier", "standard"]), tier, weights, weights)
  .map(([[a = "", b = ""], c, notIn, norIn]) => [
    model("gpt-a", "openai", a, notIn),
    model("gpt-b", "openai", b, norIn),
    model("claude-a", "anthropic", c, notIn),
  ]);

/** `name` tells two of one model in one region apart. */
function azureDeployment(name: string, of: string): fc.Arbitrary<DeploymentEntry> {
  const entry = (sku: DeploymentEntry["sku"], where?: DeploymentEntry["countries"], surfaces?: DeploymentEntry["surfaces"]) =>
    written<DeploymentEntry>({ name, model: of, upstream_name: `up-${name}`, sku, countries: where, surfaces });
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant(entry("Standard")) },
    { weight: 1, arbitrary: fc.constant(entry("Standard", undefined, ["responses"])) },
    { weight: 2, arbitrary: countries.map((where) => entry("DataZoneStandard", where)) },
    { weight: 1, arbitrary: fc.constant(entry("DataZoneStandard", "unknown")) },
    { weight: 1, arbitrary: fc.constant(entry("GlobalStandard")) },
  );
}

function region(
  id: string,
  wire: RegionEntry["wire"],
  at: string,
  geography: readonly string[],
): Omit<RegionEntry, "deployments"> {
  return written<Omit<RegionEntry, "deployments">>({
    id,
    provider: wire === "azure" ? "azure" : "anthropic",
    wire,
    endpoint: `https://${id}.test`,
    credential: { env: "KEY" },
    country: at,
    display_name: `Region ${id}`,
    coordinates: { latitude: 1, longitude: 1 },
    geography: wire === "azure" ? { name: `geography of ${id}`, countries: [...new Set([at, ...geography])] } : undefined,
    api_version: wire === "azure" ? "2025-01-01" : undefined,
    networks: ["203.0.113.0/24"],
    domestic: at === "CN" || at === "HK" ? true : undefined,
  });
}

const azureRegion = (id: string): fc.Arbitrary<RegionEntry> =>
  fc
    .tuple(
      place,
      fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: countries }),
      azureDeployment("a1", "gpt-a"),
      azureDeployment("a2", "gpt-a"),
      azureDeployment("b1", "gpt-b"),
    )
    .map(([at, geography, ...deployments]) => ({ ...region(id, "azure", at, geography), deployments }));

const anthropicRegion = (id: string): fc.Arbitrary<RegionEntry> =>
  fc.boolean().map((pinned) => {
    const entry: DeploymentEntry = pinned
      ? { name: "c1", model: "claude-a", upstream_name: "up-c1", sku: "InferenceGeo", countries: ["US"], inference_geo: "us" }
      : { name: "c1", model: "claude-a", upstream_name: "up-c1", sku: "Global" };
    return { ...region(id, "anthropic", "US", []), deployments: [entry] };
  });

const regions: fc.Arbitrary<readonly RegionEntry[]> = fc.tuple(
  azureRegion("one"),
  azureRegion("two"),
  azureRegion("three"),
  anthropicRegion("four"),
  anthropicRegion("five"),
);

// ---- Policies ----------------------------------------------------------------------------------------------------------

const scope = fc
  .record({
    effective_from: perhaps(6, day.map(date)),
    effective_to: perhaps(6, fc.integer({ min: 7, max: 9 }).map(date)),
    suspended: perhaps(
      6,
      fc.tuple(day, fc.integer({ min: 1, max: 5 })).map(([from, days]) => [{ from: date(from), to: date(from + days) }]),
    ),
    makers: perhaps(4, fc.constantFrom(["openai"], ["anthropic"])),
    tiers: perhaps(
      4,
      tier.map((one) => [one]),
    ),
    models: perhaps(
      6,
      fc.constantFrom(...modelIds).map((one) => [one]),
    ),
    facts_no_older_than_days: perhaps(8, fc.integer({ min: 3, max: 12 })),
  })
  .map((parts) => ({ because: "The rule says so.", ...parts }));
const tenantScope = fc.record({
  tenants_in: perhaps(2, meant),
  audience: perhaps(6, fc.constantFrom("internal" as const, "public-facing" as const)),
});
const ruling = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  {},
  { decision: "deny" },
  { decision: "review" },
  { decision: "degrade", without: "log_probabilities" },
  { decision: "degrade", to_model: "gpt-a" },
  { decision: "degrade", to_model: "gpt-b" },
  { decision: "degrade", to_model: "gpt-b" },
);
const share = fc.constantFrom<Readonly<Record<string, number>>>(
  {},
  { share_at_least_percent: 50 },
  { share_more_than_percent: 50 },
);
const listedOwners = share.chain((operator) =>
  fc.record({
    owners_in: fc.constant(Object.keys(operator).length === 0 ? ["RU", "IR"] : undefined),
    owners_on: fc.constant(Object.keys(operator).length === 0 ? undefined : ["restricted"]),
    operator: fc.constant(operator),
  }),
);

type Parts = Readonly<Record<string, unknown>>;
/** What most tenants meet, or hardly any would ever be answered by a lesser model. */
const lessening: Parts = {
  kind: "tier",
  tiers: ["standard", "frontier"],
  tenants_in: ["CN", "SG", "DE", "US"],
  decision: "degrade",
  to_model: "gpt-b",
};

const kinds: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Parts> }[] = [
  { weight: 2, arbitrary: meant.map((never_in) => ({ kind: "weights_location", never_in })) },
  { weight: 4, arbitrary: fc.constant(lessening) },
  {
    weight: 2,
    arbitrary: fc.oneof(
      meant.map((deny) => ({ kind: "tenant_countries", deny })),
      fc.constant({ kind: "tenant_countries", allow: ["SG", "JP", "US", "DE", "SE"] }),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("contractual-zone", "attested").map((least) => ({ kind: "evidence", least })) },
  {
    weight: 3,
    arbitrary: fc.tuple(listedOwners, perhaps(3, meant), ruling).map(([{ operator, ...owners }, alsoIn, then]) => ({
      kind: "ownership",
      ...owners,
      ...(alsoIn === undefined ? {} : { owners_in: alsoIn }),
      ...operator,
      ...then,
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(tier, meant, ruling)
      .map(([of, tenants_in, then]) => ({ kind: "tier", tiers: [of], tenants_in, ...then })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...modelIds), perhaps(2, meant), ruling)
      .map(([of, open_to, then]) => ({ kind: "withdrawal", models: [of], open_to, ...then })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom({ denied: ["military"] }, { allowed: ["software", "software for banks"] }), ruling)
      .map(([words, then]) => ({ kind: "end_use", ...words, ...then })),
  },
  { weight: 1, arbitrary: fc.tuple(meant, ruling).map(([deny, then]) => ({ kind: "nationality", deny, ...then })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom([], ["web_search"], ["mcp", "web_search"]), fc.constantFrom({}, { decision: "review" }))
      .map(([tools, then]) => ({ kind: "hosted_tools", tools, ...then })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(perhaps(2, fc.constant(true)), fc.oneof(ruling, fc.constant({ decision: "degrade", without: "log_probabilities" })))
      .map(([only_with_logit_bias, then]) => ({ kind: "log_probabilities", only_with_logit_bias, ...then })),
  },
];
/** What a kind of rule says itself wins over what its scope would. */
const rule: fc.Arbitrary<Parts> = fc
  .tuple(scope, tenantScope, fc.oneof(...kinds))
  .map(([general, about, parts]) => ({ ...general, ...about, ...parts }));
const exemption: fc.Arbitrary<Parts> = fc
  .tuple(scope, fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }))
  .map(([general, lifts]) => ({ ...general, kind: "exemption", parties_on: ["trusted"], lifts }));

const list = (entries: Parts): fc.Arbitrary<PolicyListEntry> =>
  fc
    .tuple(fc.integer({ min: -12, max: -1 }), fc.constantFrom(10, 30, 30, 30))
    .map(([taken, age]) => ({ source: "drawn", as_of: date(taken), greatest_age_days: age, ...entries }) as PolicyListEntry);

/** What holds for everybody is not among them. */
const liftable: ReadonlySet<unknown> = new Set([
  "ownership",
  "tier",
  "withdrawal",
  "end_use",
  "nationality",
  "hosted_tools",
  "log_probabilities",
]);

/** Rules with their ids. Exemptions name others by their place; a rule that would degrade a model to itself is none. */
function numbered(drawn: readonly Parts[]): RuleEntry[] {
  const rules = drawn.filter(({ models, to_model }) => !(models as readonly unknown[] | undefined)?.includes(to_model));
  return rules.flatMap(({ lifts, ...parts }, index) => {
    const id = `rule-${index}`;
    if (lifts === undefined) return [written<RuleEntry>({ ...parts, id } as never)];
    const places = [...new Set(lifts as readonly number[])].filter((at) => liftable.has(rules[at]?.["kind"]));
    return places.length === 0 ? [] : [written<RuleEntry>({ ...parts, id, lifts: places.map((at) => `rule-${at}`) } as never)];
  });
}

const policy: fc.Arbitrary<PolicyEntry> = fc
  .record({
    drawn: fc.array(fc.oneof({ weight: 6, arbitrary: rule }, { weight: 1, arbitrary: exemption }), { maxLength: 3 }),
    watched: list({ kind: "countries", countries: ["RU", "JP"] }),
    restricted: list({ kind: "parties", parties: [{ name: "Listed" }, { name: "Other", identifiers: ["LEI:LISTED"] }] }),
    trusted: list({ kind: "parties", parties: [{ name: "Trusted" }] }),
  })
  .map(({ drawn, ...lists }) => ({
    version: "drawn",
    home: ["group:CN"],
    groups: { CN: { countries: ["CN", "HK", "MO"], jurisdiction: true }, two: { countries: ["DE", "SE"] } },
    lists,
    rules: [{ id: "own", kind: "own_jurisdiction", because: "Not from your own jurisdiction." }, ...numbered(drawn)],
  }));

// ---- Tenants -----------------------------------------------------------------------------------------------------------

const shown: fc.Arbitrary<FactEvidence> = fc.tuple(fc.integer({ min: -9, max: 0 }), perhaps(10, country)).map(([asOf, other]) =>
  written<FactEvidence>({
    reference: "document",
    asOf: date(asOf).toISOString(),
    contradictions: other && [{ value: other, reference: "another", asOf: date(asOf).toISOString() }],
  }),
);

/** Two direct owners, one of which may be a company that a third one owns in part. */
const ownership: fc.Arbitrary<Ownership> = fc
  .record({
    names: fc.array(fc.constantFrom("Somebody", "Somebody", "Listed"), { minLength: 3, maxLength: 3 }),
    at: fc.array(fc.oneof({ weight: 5, arbitrary: country }, { weight: 1, arbitrary: fc.constant(undefined) }), {
      minLength: 3,
      maxLength: 3,
    }),
    shares: fc.array(fc.constantFrom(undefined, 1_000, 4_900, 5_000, 5_100, 10_000), { minLength: 3, maxLength: 3 }),
    asOf: fc.array(fc.integer({ min: -9, max: 0 }), { minLength: 3, maxLength: 3 }),
    firstKind: fc.constantFrom("company" as const, "company" as const, "person" as const, "dispersed" as const),
  })
  .map(({ names, at, shares, asOf, firstKind }) => ({
    owners: names.map((name, index) => ({
      id: `owner-${index}`,
      name,
      kind: index === 0 ? firstKind : "person",
      country: at[index],
      identifiers: [],
    })),
    holdings: [
      ["owner-0", "tenant"],
      ["owner-1", "tenant"],
      ["owner-2", "owner-0"],
    ].map(([owner = "", of = ""], index) => ({
      owner,
      of,
      basisPoints: shares[index],
      evidence: "register",
      asOf: date(asOf[index] ?? 0).toISOString(),
    })),
  }));

/** Mostly of one country, known and undisputed: a world in which everything is refused would show nothing. */
const tenant: fc.Arbitrary<Omit<Tenant, "id">> = fc
  .record({
    seat,
    registeredCountry: perhaps(12, fc.constantFrom("unknown", "XX", "HK", "US")),
    headquartersCountry: perhaps(12, fc.constantFrom("unknown", "CN", "DE")),
    ultimateParentCountry: perhaps(12, fc.constantFrom("unknown", "RU", "SE")),
    endUse: fc.constantFrom("software", "software", "software for banks", "military logistics", "unknown"),
    audience: fc.constantFrom("internal" as const, "internal" as const, "public-facing" as const, undefined),
    tiers: fc.constantFrom(["standard", "frontier"], ["standard", "frontier"], ["standard", "frontier"], ["standard"]),
    name: fc.constantFrom("Tenant", "Tenant", "Trusted", "Listed"),
    identifiers: perhaps(8, fc.constant(["LEI:LISTED"])),
    ownership: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 4, arbitrary: ownership }),
    factsEvidence: fc.record({
      registeredCountry: perhaps(2, shown),
      headquartersCountry: perhaps(2, shown),
      ultimateParentCountry: perhaps(2, shown),
      endUse: perhaps(
        2,
        shown.map(({ reference, asOf }) => ({ reference, asOf })),
      ),
    }),
    expiresAt: perhaps(
      8,
      fc.integer({ min: 1, max: 6 }).map((days) => date(days).toISOString()),
    ),
    allowCountries: perhaps(8, fc.constantFrom(["SG", "JP", "group:two"], ["US", "DE", "HK", "SE", "group:moon"])),
    denyCountries: fc.constantFrom([], [], [], [], [], ["group:CN"], ["JP", "DE"], ["group:moon"]),
    leastEvidence: perhaps(10, fc.constantFrom("contractual-geography" as const, "attested" as const)),
    state: perhaps(15, fc.constant("suspended" as const)).map((state) => state ?? ("verified" as const)),
  })
  .map(
    ({
      seat: home,
      registeredCountry,
      headquartersCountry,
      ultimateParentCountry,
      endUse,
      audience,
      expiresAt,
      state,
      ...rest
    }) => {
      const known = (value: string): string | undefined => (value === "unknown" ? undefined : value);
      return {
        ...rest,
        facts: {
          registeredCountry: known(registeredCountry ?? home),
          headquartersCountry: known(headquartersCountry ?? home),
          ultimateParentCountry: known(ultimateParentCountry ?? home),
          endUse: known(endUse),
          audience,
        },
        verification: { state, since: date(-100).toISOString(), evidence: "file", expiresAt },
        oidc: undefined,
        endUserSecret: "a secret of the tenant",
        createdAt: date(-100).toISOString(),
      };
    },
  );

// ---- All together ------------------------------------------------------------------------------------------------------

export interface DrawnWorld {
  readonly models: readonly ModelEntry[];
  readonly regions: readonly RegionEntry[];
  /** The policy that holds at first, and the one that takes over on a day. */
  readonly first: PolicyEntry;
  readonly second: PolicyEntry;
  readonly secondFromMs: number;
  readonly tenants: readonly Omit<Tenant, "id">[];
}

export const worlds: fc.Arbitrary<DrawnWorld> = fc.record({
  models,
  regions,
  first: policy.map((entry) => ({ ...entry, version: "first" })),
  second: policy.map((entry) => ({ ...entry, version: "second" })),
  secondFromMs: fc.integer({ min: 1, max: 8 }).map((days) => beginsMs + days * dayMs),
  tenants: fc.array(tenant, { minLength: 2, maxLength: 2 }),
});

/** The regions folder that says this. */
export function filesOf({ models: all, regions: places }: DrawnWorld, entry: PolicyEntry): readonly CatalogueFile[] {
  return [
    { path: "regions/models.toml", text: stringify({ models: all }) },
    { path: "regions/policy.toml", text: stringify(entry) },
    ...places.map((place) => ({ path: `regions/${place.id}.toml`, text: stringify(place) })),
  ];
}
