import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makePrivateJwk, publicPart } from "../../src/bundle/policy-keys.ts";
import type { TestTenant } from "../blackbox/harness/operator.ts";
import { bundleText } from "../bundle/bundle-fixture.ts";
import { modelsText, policyText, regionText } from "../region/regions-fixture.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Bound, Drill, DrillOptions, DrillReport } from "./drill.ts";
import { Gateway } from "./harness/gateway.ts";
import { HostilePlace, promptMark, type Answering } from "./residency/hostile-place.ts";
import { writeWorld } from "./residency/hostile-world.ts";
import { impostor, inside, keySwapper, scenariosOf, trap, type Scenario } from "./residency/scenarios.ts";

const requestsEach = 12;
const dayMs = 86_400_000;
const jumpsMs = [400 * dayMs, -400 * dayMs, 5 * 60_000, 0];
const domain = "drill.test";
const prompt = `${promptMark} `.repeat(100);

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
  const outside = [
    await open(trap, port),
    await open(impostor, port, authority.issue("another.test")),
    await open(keySwapper, port, authority.issue(`*.${domain}`)),
  ];
  const [trapped] = outside;

  const folder = children.scratch();
  const scenarios = scenariosOf(good.pin);
  const worldFile = join(folder, "world.json");
  const names = Object.fromEntries([
    ...scenarios.map(({ name, names }) => [`${name}.${domain}`, names] as const),
    [`trap.${domain}`, [[trap]]],
  ]);
  writeWorld(worldFile, { names, clockOffsetMs: 0 });
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

  say("each fault by itself");
  const rows: Row[] = [];
  for (const scenario of scenarios) rows.push(await meet(scenario, gateway, upstream, outside));

  say("the clock jumps under load");
  const rebound = await tenantOf(gateway, scenarios[1]?.country ?? "");
  let jumping = 0;
  for (const clockOffsetMs of jumpsMs) {
    writeWorld(worldFile, { names, clockOffsetMs });
    await delay(150);
    const statuses = await Promise.all(Array.from({ length: requestsEach }, () => ask(gateway, rebound.key)));
    jumping += statuses.length;
  }

  say("ids that were issued elsewhere");
  const forged = await askWithForgedIds(gateway, upstream);

  say("a bundle that expires under load");
  const expired = await expire(upstream, async (endsAtMs) => {
    mkdirSync(join(regions, "bundles"));
    const text = await bundleText("expiring", { to: endsAtMs, policy: policyText }, keys);
    writeFileSync(join(regions, "bundles", "expiring.json"), text);
    const STRAIT_POLICY_KEYS = JSON.stringify({ keys: [publicPart(keys)] });
    return Gateway.start(children, { ...common, STRAIT_POLICY_KEYS, STRAIT_DATA_DIR: join(folder, "expiring") });
  });

  const promptBytes = outside.reduce((sum, place) => sum + place.promptBytes, 0);
  const counted = await gateway.operator.ask<{ placeMismatches: readonly { deployment: string }[] }>("GET", "/place-mismatches");
  const alarmed = new Set(counted.placeMismatches.map(({ deployment }) => deployment.split("/")[0]));
  const unnoticed = ["rebinding", "country", "certificate", "key", "region", "spillover", "model"].filter(
    (name) => !alarmed.has(name),
  );
  const unexpected = rows.filter(({ scenario, answered }) =>
    scenario.outcome === "answered" ? answered < requestsEach : scenario.outcome === "refused" && answered > 0,
  );
  const bounds: readonly Bound[] = [
    { title: "bytes of a prompt that reached an address outside the permit", is: promptBytes, atMost: 0 },
    { title: "connections to an address outside of what is declared", is: trapped?.connections ?? Number.NaN, atMost: 0 },
    { title: "faults whose requests did not end as they must", is: unexpected.length, atMost: 0 },
    {
      title: "prompts sent to a deployment after it contradicted its place",
      is: rows.reduce((sum, { late }) => sum + late, 0),
      atMost: 0,
    },
    { title: "contradictions and refusals that raised no alarm", is: unnoticed.length, atMost: 0 },
    { title: "requests with an id issued elsewhere that reached an upstream", is: forged.reached, atMost: 0 },
    { title: "requests that reached an upstream after their policy had ended", is: expired.late, atMost: 0 },
    {
      title: "worlds in which nothing was served (1 = yes)",
      is: Number(expired.answered === 0 || upstream.promptBytes === 0),
      atMost: 0,
    },
  ];
  return {
    tables: [
      {
        title: "a hostile world",
        columns: ["", "sent", "answered", "at the declared upstream", "requests outside", "prompt bytes outside"],
        rows: [
          ...rows.map(({ scenario, sent, answered, reached, elsewhere, bytes }) => [
            scenario.title,
            sent,
            answered,
            reached,
            elsewhere,
            bytes,
          ]),
          ["clock jumps, DNS rebinding", jumping, "-", "-", trapped?.requests.length ?? "-", trapped?.promptBytes ?? "-"],
          ["ids issued elsewhere", forged.sent, 0, forged.reached, 0, 0],
          ["a bundle that expires", expired.sent, expired.answered, expired.answered, 0, 0],
        ],
      },
    ],
    bounds,
    notes: ["addresses are loopback's: 127.0.1.0/24 is declared, 127.0.2.1 is not and has as good a certificate"],
  };
}

interface Row {
  readonly scenario: Scenario;
  readonly sent: number;
  readonly answered: number;
  readonly reached: number;
  readonly elsewhere: number;
  readonly bytes: number;
  /** Prompts beyond the one that found a contradiction out. */
  readonly late: number;
}

/** One after the other, so that what one request found out holds for the next. */
async function meet(
  scenario: Scenario,
  gateway: Gateway,
  upstream: HostilePlace,
  outside: readonly HostilePlace[],
): Promise<Row> {
  const { key } = await tenantOf(gateway, scenario.country);
  let answered = 0;
  for (let number = 0; number < requestsEach; number++) if ((await ask(gateway, key)) === 200) answered += 1;
  const reached = upstream.requestsFor(scenario.name);
  return {
    scenario,
    sent: requestsEach,
    answered,
    reached,
    elsewhere: outside.reduce((sum, place) => sum + place.requestsFor(scenario.name), 0),
    bytes: outside.reduce((sum, place) => sum + place.promptBytes, 0),
    late: scenario.contradicts === true ? Math.max(0, reached - 1) : 0,
  };
}

function tenantOf(gateway: Gateway, country: string): Promise<TestTenant> {
  return gateway.operator.addTenant({ country: "SG", tiers: ["standard"], allowCountries: [country] });
}

/** The status, or 0 where the gateway gave none. */
async function ask(
  gateway: Gateway,
  key: string,
  path = "chat/completions",
  extra: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const input = path === "responses" ? { input: prompt } : { messages: [{ role: "user", content: prompt }] };
  const answer = await fetch(`${gateway.url}/v1/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-a", max_completion_tokens: 20, ...input, ...extra }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function askWithForgedIds(
  gateway: Gateway,
  upstream: HostilePlace,
): Promise<{ readonly sent: number; readonly reached: number }> {
  const issuer = await tenantOf(gateway, "JP");
  const other = await tenantOf(gateway, "SE");
  await ask(gateway, issuer.key, "responses");
  const issued = `resp_${upstream.requests.length}`;
  const before = upstream.requests.length;
  const ids = [issued, "resp_made_up", "../files", "resp_1"];
  for (const id of ids) await ask(gateway, other.key, "responses", { previous_response_id: id });
  return { sent: ids.length, reached: upstream.requests.length - before };
}

async function expire(
  upstream: HostilePlace,
  start: (endsAtMs: number) => Promise<Gateway>,
): Promise<{ readonly sent: number; readonly answered: number; readonly late: number }> {
  // Long enough for a gateway to start on a busy machine.
  const endsAtMs = Date.now() + 9_000;
  const gateway = await start(endsAtMs);
  const { key } = await tenantOf(gateway, "JP");
  let sent = 0;
  let answered = 0;
  let late = 0;
  while (Date.now() < endsAtMs + 700) {
    const began = Date.now();
    const before = upstream.requests.length;
    const status = await ask(gateway, key);
    sent += 1;
    if (status === 200) answered += 1;
    if (began >= endsAtMs && upstream.requests.length > before) late += 1;
    if (status !== 200) await delay(20);
  }
  return { sent, answered, late };
}

function writeRegions(folder: string, scenarios: readonly Scenario[], port: number): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "models.toml"), modelsText);
  writeFileSync(join(folder, "policy.toml"), policyText);
  for (const { name, country, head } of scenarios) {
    const lines = [`endpoint = "https://${name}.${domain}:${port}"`, `country = "${country}"`, ...head];
    const deployment = `[[deployments]]\nmodel = "gpt-a"\nsku = "Standard"\ncountries = ["${country}"]\n`;
    const text = regionText(name, lines, deployment);
    writeFileSync(
      join(folder, `${name}.toml`),
      head.some((line) => line.startsWith("networks")) ? text : text.replace(/^networks.*\n/m, ""),
    );
  }
  return folder;
}

/** Says of all of loopback and of private networks that they are in Australia. */
function writeWrongTable(folder: string): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "geo-whois-asn-country-ipv4-num.csv"), "16777216,4278190079,AU\n");
  writeFileSync(join(folder, "geo-whois-asn-country-ipv6.csv"), "2001:200::,2001:201::,AU\n");
  const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ version: `1.0.${today}` }));
  return folder;
}
