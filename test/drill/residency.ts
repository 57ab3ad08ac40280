import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makePrivateJwk, publicPart } from "../../src/bundle/policy-keys.ts";
import { bundleText } from "../bundle/bundle-fixture.ts";
import { policyText } from "../region/regions-fixture.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Bound, Drill, DrillOptions, DrillReport } from "./drill.ts";
import { Gateway } from "./harness/gateway.ts";
import { ask, askAtOnce, tenantOf } from "./residency/asking.ts";
import { outliveBundle } from "./residency/ending-bundle.ts";
import { lookOutside, type FaultRow, type Outside } from "./residency/fault-row.ts";
import { HostilePlace, type Answering } from "./residency/hostile-place.ts";
import { writeWorld } from "./residency/hostile-world.ts";
import { domain, writeRegions, writeWrongTable } from "./residency/regions.ts";
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
  const watched = async <Found extends FaultRow>(fault: () => Promise<Found>): Promise<Found & { readonly outside: Outside }> => {
    const seen = lookOutside(outside);
    const found = await fault();
    return { ...found, outside: seen() };
  };

  say("each fault by itself");
  const met: (Met & { readonly outside: Outside })[] = [];
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
  const bounds: readonly Bound[] = [
    { title: "bytes of a prompt that reached an address outside the permit", is: seenOutside().promptBytes, atMost: 0 },
    { title: "connections to an address outside of what is declared", is: trapped.connections, atMost: 0 },
    { title: "faults whose requests did not end as they must", is: met.filter(endedWrong).length, atMost: 0 },
    {
      title: "prompts sent to a deployment after it contradicted its place",
      is: met.reduce((sum, { scenario, reached }) => sum + (scenario.contradicts === true ? Math.max(0, reached - 1) : 0), 0),
      atMost: 0,
    },
    {
      title: "contradictions and refused connections that raised no alarm",
      is: scenarios.filter(({ name, alarms }) => alarms === true && !alarmed.has(name)).length,
      atMost: 0,
    },
    { title: "requests with an id issued elsewhere that reached an upstream", is: foreign.reached, atMost: 0 },
    { title: "requests that reached an upstream after their policy had ended", is: ended.late, atMost: 0 },
    {
      title: "cases that had to be served and were not: one's own id, after a clock jumped back, before the end",
      is: [foreign.ownAnswered, ended.answeredBetween, ended.answeredBeforeEnd].filter((answered) => answered === 0).length,
      atMost: 0,
    },
  ];
  const row = (title: string, { sent, answered, reached, outside: seen }: FaultRow & { readonly outside: Outside }) => [
    title,
    sent,
    answered,
    reached,
    seen.requests,
    seen.promptBytes,
  ];
  return {
    tables: [
      {
        title: "a hostile world",
        columns: ["", "sent", "answered", "at the declared upstream", "requests outside", "prompt bytes outside"],
        rows: [
          ...met.map((found) => row(found.scenario.title, found)),
          row("clock jumps, DNS rebinding", jumps),
          row("ids issued elsewhere", foreign),
          row("a bundle that ends", ended),
        ],
      },
    ],
    bounds,
    notes: ["addresses are loopback's: 127.0.1.0/24 is declared, 127.0.2.1 is not and has as good a certificate"],
  };
}

interface Met extends FaultRow {
  readonly scenario: Scenario;
}

/** One after the other, so that what one request found out holds for the next. */
async function meet(scenario: Scenario, gateway: Gateway, upstream: HostilePlace): Promise<Met> {
  const { key } = await tenantOf(gateway, scenario.country);
  let answered = 0;
  for (let number = 0; number < requestsEach; number++) if ((await ask(gateway, key)).status === 200) answered += 1;
  return { scenario, sent: requestsEach, answered, reached: upstream.requestsFor(scenario.name) };
}

function endedWrong({ scenario: { outcome }, sent, answered }: Met): boolean {
  return outcome === "answered" ? answered < sent : outcome === "refused" && answered > 0;
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
