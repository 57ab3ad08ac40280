import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { authorise } from "../../src/policy/authorise.ts";
import { formatProblems } from "../../src/region/problem.ts";
import { readCatalogue } from "../../src/region/read-catalogue.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import type { Measure } from "../bench.ts";
import { tenantCountry, writeRegions } from "../proxies/strait-regions.ts";
import { authoriseNames } from "../targets.ts";

const deployments = 500;
const rules = 200;
const atMs = Date.UTC(2026, 10, 25);
const asOf = "2026-11-01T00:00:00Z";

/** What a decision costs, apart from all else that a gateway does: with 500 candidates, every one permitted, and 200 rules that all look. */
export const authorisation: Measure = {
  name: "authorise",
  rounds: (settings) => settings.rounds,
  async run({ children, results, upstreamOrigin }, round) {
    const directory = children.scratch();
    const model = writeRegions(directory, upstreamOrigin, deployments);
    const { policy, catalogue } = readWorld(directory);
    const asked = { modelName: model.id, surface: "chat.completions" } as const;
    const ask = (tenant: Tenant, by = policy): void => {
      const decision = authorise({ ...asked, tenant }, by, catalogue, atMs);
      if (!decision.ok) throw new TypeError(`the bench's tenant is refused: ${JSON.stringify(decision.refusal)}`);
    };
    const one = tenantNumber(0, model.tier);
    results.add(
      "authorise",
      authoriseNames.first,
      round,
      cpuOf(50, () => ask(one, { ...policy })),
    );
    results.add(
      "authorise",
      authoriseNames.tenants,
      round,
      cpuOf(2_000, (number) => ask(tenantNumber(number, model.tier))),
    );
    results.add(
      "authorise",
      authoriseNames.remembered,
      round,
      cpuOf(1_000_000, () => ask(one)),
    );
  },
};

/** Microseconds of CPU for one of `count`, after a tenth of them have warmed the code. */
function cpuOf(count: number, run: (number: number) => void): number {
  for (let number = 0; number < count / 10; number += 1) run(number);
  const before = process.cpuUsage();
  for (let number = 0; number < count; number += 1) run(number);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

function readWorld(directory: string): Extract<ReturnType<typeof readCatalogue>, { ok: true }> {
  const files = readdirSync(directory).map((name) => ({ path: name, text: readFileSync(join(directory, name), "utf8") }));
  const manyRules = files.map(({ path, text }) => ({ path, text: path === "policy.toml" ? withRules(text) : text }));
  const read = readCatalogue(manyRules, (text) => createHash("sha256").update(text).digest());
  if (!read.ok) throw new TypeError(formatProblems(read.problems));
  return read;
}

/** Rules that look at every request and refuse none, of the kinds that cost most. */
function withRules(text: string): string {
  const shipped = text.match(/^\[\[rules\]\]$/gm)?.length ?? 0;
  const kinds = [
    'kind = "ownership"\nowners_in = ["KP", "IR"]\nshare_at_least_percent = 50\nfacts_no_older_than_days = 365',
    'kind = "weights_location"\nnever_in = ["KP"]',
    'kind = "end_use"\ndenied = ["torture", "mass surveillance"]',
    'kind = "tenant_countries"\ndeny = ["KP", "SY"]',
    'kind = "tier"\ntiers = ["frontier", "standard"]\ntenants_in = ["KP", "SY"]',
  ];
  const more = Array.from(
    { length: rules - shipped },
    (_, index) => `\n[[rules]]\nid = "bench-${index}"\n${kinds[index % kinds.length] ?? ""}\nbecause = "Because."\n`,
  );
  return `${text}${more.join("")}`;
}

function tenantNumber(number: number, tier: string): Tenant {
  const evidence = { reference: "register", asOf };
  return {
    id: `tenant_${number}`,
    name: `Tenant ${number}`,
    facts: {
      registeredCountry: tenantCountry,
      headquartersCountry: tenantCountry,
      ultimateParentCountry: tenantCountry,
      endUse: "software",
      audience: "internal",
    },
    factsEvidence: {
      registeredCountry: evidence,
      headquartersCountry: evidence,
      ultimateParentCountry: evidence,
      endUse: evidence,
    },
    ownership: {
      owners: [
        { id: "parent", name: "Parent", kind: "company", country: tenantCountry, identifiers: [] },
        { id: "founder", name: "Founder", kind: "person", country: tenantCountry, identifiers: [] },
      ],
      holdings: [
        { owner: "parent", of: "tenant", basisPoints: 10_000, evidence: "register", asOf },
        { owner: "founder", of: "parent", basisPoints: 10_000, evidence: "register", asOf },
      ],
    },
    verification: { state: "verified", since: asOf, evidence: "register" },
    tiers: [tier],
    allowCountries: undefined,
    denyCountries: [],
    leastEvidence: undefined,
    oidc: undefined,
    createdAt: asOf,
  };
}
