import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makePrivateJwk, publicPart } from "../../src/bundle/policy-keys.ts";
import { bundleText } from "../bundle/bundle-fixture.ts";
import { policyText } from "../region/regions-fixture.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Drill, DrillOptions, DrillReport } from "./drill.ts";
import { Gateway } from "./harness/gateway.ts";
import { ask, askAtOnce, tenantOf } from "./residency/asking.ts";
import { outliveBundle } from "./residency/ending-bundle.ts";
import { lookOutside, type FaultRow, type Watched } from "./residency/fault-row.ts";
import { HostilePlace, type Answering } from "./residency/hostile-place.ts";
import { writeWorld } from "./residency/hostile-world.ts";
import { domain, writeRegions, writeWrongTable } from "./residency/regions.ts";
import { reportOf, type Met } from "./residency/report.ts";
import { impostor, inside, keySwapper, scenariosOf, trap, type Scenario } from "./residency/scenarios.ts";
import { askWithForeignIds } from "./residency/stored-ids.ts";

const requestsEach = 12;
const dayMs = 86_400_000;
const jumpsMs = [400 * dayMs, -400 * dayMs, 5 * 60_000, 0];
/** A gateway reads its clock's offset every 50 ms. */
const clockSetMs = 150;
/** Long enough for a gateway to start on a busy machine, and to have its clock set. */
const bundleLastsMs = 10_000;

const answering: Answering = (name) => {
  const headers = ["x-ms-region", name === "region" ? "East Asia" : "Somewhere"];
  if (name === "redirect") return { redirect: `https://trap.${domain}/` };
  if (name === "spillover")
    return { headers: [...headers, "x-ms-spillover-from-deployment", "gpt-a", "x-ms-deployment-name", "our-global"] };
  return { headers, ...(name === "model" ? { model: "gpt-unheard" } : {}) };
};

export const residency: Drill = {
  name: "residency",
  summary: "a hostile world of names, certificates, upstreams and clocks: bytes of a prompt outside the permit must be 0",
  needs: [],
  async run(options) {
    const authority = new CertificateAuthority();
    const places: HostilePlace[] = [];
    try {
      return await play(authority, places, options);
    } finally {
      for (const place of places) place.close();
      authority.remove();
    }
  },
};

async function play(
  authority: CertificateAuthority,
  places: HostilePlace[],
  { children, say }: DrillOptions,
): Promise<DrillReport> {
  const good = authority.issue(`*.${domain}`);
  const open = async (host: string, port: number, certificate = good, answers?: Answering): Promise<HostilePlace> => {
    const place = await HostilePlace.start(host, port, certificate, answers);
    places.push(place);
    return place;
  };
  const upstream = await open(inside, 0, good, answering);
  const { port } = upstream;
  const trapped = await open(trap, port);
  const outside = [
    trapped,
    await open(impostor, port, authority.issue("another.test")),
    await open(keySwapper, port, authority.issue(`*.${domain}`)),
  ];

  const folder = children.scratch();
  const scenarios = scenariosOf(good.pin);
  const worldFile = join(folder, "world.json");
  const names = Object.fromEntries([
    ...scenarios.map(({ name, names }) => [`${name}.${domain}`, names] as const),
    [`trap.${domain}`, [[trap]]],
  ]);
  const setClock = async (clockOffsetMs: number): Promise<void> => {
    writeWorld(worldFile, { names, clockOffsetMs });
    await delay(clockSetMs);
  };
  await setClock(0);
  const regions = writeRegions(join(folder, "regions"), scenarios, port);
  const keys = await makePrivateJwk();
  const common = {
    STRAIT_COUNTRY_TABLE: writeWrongTable(join(folder, "table")),
    NODE_EXTRA_CA_CERTS: authority.certificateFile,
    NODE_OPTIONS: `--import=${join(import.meta.dirname, "residency/hostile-host.ts")}`,
    DRILL_WORLD: worldFile,
    KEY: "drill-upstream-key",
    STRAIT_REGIONS_DIR: regions,
  };
  const gateway = await Gateway.start(children, { ...common, STRAIT_DATA_DIR: join(folder, "data") });
  const seenOutside = lookOutside(outside);
  /** What a fault did, with what meanwhile reached the places outside. */
  const watched = async <Found extends FaultRow>(fault: () => Promise<Found>): Promise<Watched<Found>> => {
    const seen = lookOutside(outside);
    const found = await fault();
    return { ...found, outside: seen() };
  };

  say("each fault by itself");
  const met: Watched<Met>[] = [];
  for (const scenario of scenarios) met.push(await watched(() => meet(scenario, gateway, upstream)));

  say("the clock jumps while names are rebound");
  const jumps = await watched(() => jumpClock(gateway, scenarios, upstream, setClock));

  say("ids that were issued elsewhere");
  const foreign = await watched(() => askWithForeignIds(gateway, upstream));

  say("a bundle that ends, by a clock that jumps and under load");
  const endsAtMs = Date.now() + bundleLastsMs;
  mkdirSync(join(regions, "bundles"));
  writeFileSync(join(regions, "bundles", "ending.json"), await bundleText("ending", { to: endsAtMs, policy: policyText }, keys));
  const STRAIT_POLICY_KEYS = JSON.stringify({ keys: [publicPart(keys)] });
  const bundled = await Gateway.start(children, { ...common, STRAIT_POLICY_KEYS, STRAIT_DATA_DIR: join(folder, "bundled") });
  const ended = await watched(() => outliveBundle(bundled, endsAtMs, upstream, setClock));

  const counted = await gateway.operator.ask<{ placeMismatches: readonly { deployment: string }[] }>("GET", "/place-mismatches");
  const alarmed = new Set(counted.placeMismatches.map(({ deployment }) => deployment.split("/")[0]));
  return reportOf({
    met,
    jumps,
    foreign,
    ended,
    promptBytesOutside: seenOutside().promptBytes,
    connectionsOutside: trapped.connections,
    unalarmed: scenarios.filter(({ name, alarms }) => alarms === true && !alarmed.has(name)),
  });
}

/** One after the other, so that what one request found out holds for the next. */
async function meet(scenario: Scenario, gateway: Gateway, upstream: HostilePlace): Promise<Met> {
  const { key } = await tenantOf(gateway, scenario.country);
  let answered = 0;
  for (let number = 0; number < requestsEach; number++) if ((await ask(gateway, key)).status === 200) answered += 1;
  return { scenario, sent: requestsEach, answered, reached: upstream.requestsFor(scenario.name) };
}

async function jumpClock(
  gateway: Gateway,
  scenarios: readonly Scenario[],
  upstream: HostilePlace,
  setClock: (offsetMs: number) => Promise<void>,
): Promise<FaultRow> {
  const rebound = await tenantOf(gateway, scenarios.find(({ name }) => name === "rebinding")?.country ?? "");
  const before = upstream.requests.length;
  let answered = 0;
  for (const offsetMs of jumpsMs) {
    await setClock(offsetMs);
    answered += await askAtOnce(gateway, rebound.key, requestsEach);
  }
  return { sent: jumpsMs.length * requestsEach, answered, reached: upstream.requests.length - before };
}
