import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { authorise } from "../../src/policy/authorise.ts";
import { formatProblems } from "../../src/region/problem.ts";
import type { readCatalogue } from "../../src/region/read-catalogue.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { inTurn, type Bench, type Measure } from "../bench.ts";
import { writeRegions } from "../proxies/strait-regions.ts";
import { authoriseNames, beside } from "../targets.ts";
import { withManyRules } from "./many-rules.ts";
import { tenantNumber } from "./many-tenants.ts";

const deployments = 500;
const rules = 200;
const atMs = Date.UTC(2026, 10, 25);
const benched = new URL("../..", import.meta.url).pathname;

/** The code that decides, of one checkout. */
interface Decider {
  readonly named: (name: string) => string;
  readonly authorise: typeof authorise;
  readonly readCatalogue: typeof readCatalogue;
}

/**
 * What a decision costs, apart from all else that a gateway does: with 500 candidates, and 200 rules that all look at the
 * model, no two of which ask the same. No two tenants are the same either.
 */
export const authorisation: Measure = {
  name: "authorise",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    const directory = bench.children.scratch();
    const model = writeRegions(directory, bench.upstreamOrigin, deployments);
    for (const decider of inTurn(await decidersOf(bench), round)) {
      const { policy, catalogue } = readWorld(directory, decider.readCatalogue);
      const asked = { modelName: model.id, surface: "chat.completions" } as const;
      const decide = (tenant: Tenant, isAdmitted = true, by = policy): void => {
        const decision = decider.authorise({ ...asked, tenant }, by, catalogue, atMs);
        if (decision.ok !== isAdmitted) throw new TypeError(`the bench's tenant is not decided as it should be: ${tenant.id}`);
      };
      const add = (name: string, microseconds: number): void =>
        bench.results.add("authorise", decider.named(name), round, microseconds);
      const { tier } = model;
      const one = tenantNumber(0, tier);
      add(
        authoriseNames.first,
        cpuOf(Array.from({ length: 500 }), () => decide(one, true, { ...policy })),
      );
      add(
        authoriseNames.tenants,
        cpuOf(manyTenants(tier, {}), (tenant) => decide(tenant)),
      );
      add(
        authoriseNames.places,
        cpuOf(manyTenants(tier, { ownLists: true }), (tenant) => decide(tenant)),
      );
      add(
        authoriseNames.refused,
        cpuOf(manyTenants(tier, { isUnresolved: true }), (tenant) => decide(tenant, false)),
      );
      add(
        authoriseNames.remembered,
        cpuOf(Array.from({ length: 1_000_000 }), () => decide(one)),
      );
    }
  },
};

async function decidersOf({ besideDirectory }: Bench): Promise<readonly Decider[]> {
  const own = await deciderOf(benched, (name) => name);
  return besideDirectory === undefined ? [own] : [own, await deciderOf(besideDirectory, beside)];
}

async function deciderOf(checkout: string, named: Decider["named"]): Promise<Decider> {
  const load = async (file: string): Promise<Omit<Decider, "named">> =>
    (await import(pathToFileURL(resolve(checkout, file)).href)) as Omit<Decider, "named">;
  const { authorise } = await load("src/policy/authorise.ts");
  const { readCatalogue } = await load("src/region/read-catalogue.ts");
  return { named, authorise, readCatalogue };
}

/** Microseconds of CPU for one subject, after a tenth of them have warmed the code. */
function cpuOf<Subject>(subjects: readonly Subject[], run: (subject: Subject) => void): number {
  const warming = Math.floor(subjects.length / 10);
  for (const subject of subjects.slice(0, warming)) run(subject);
  const measured = subjects.slice(warming);
  const before = process.cpuUsage();
  for (const subject of measured) run(subject);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / measured.length;
}

/** Made before anything is measured: making them costs as much as deciding. */
function manyTenants(tier: string, differences: Parameters<typeof tenantNumber>[2]): readonly Tenant[] {
  return Array.from({ length: 5_000 }, (_, number) => tenantNumber(number, tier, differences));
}

function readWorld(directory: string, read: Decider["readCatalogue"]): Extract<ReturnType<typeof readCatalogue>, { ok: true }> {
  const files = readdirSync(directory).map((name) => ({ path: name, text: readFileSync(join(directory, name), "utf8") }));
  const manyRules = files.map(({ path, text }) => ({ path, text: path === "policy.toml" ? withManyRules(text, rules) : text }));
  const world = read(manyRules, (text) => createHash("sha256").update(text).digest());
  if (!world.ok) throw new TypeError(formatProblems(world.problems));
  return world;
}
