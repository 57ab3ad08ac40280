import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { percentile } from "../../bench/statistics.ts";
import type { IssuedRevocationDocument, RevocationStateDocument } from "../../src/control/revocation-documents.ts";
import type { LimitInput, Operator } from "../blackbox/harness/operator.ts";
import type { Bound, Drill, DrillOptions } from "./drill.ts";
import { drillRequest } from "./harness/drill-request.ts";
import type { Gateway } from "./harness/gateway.ts";
import { openStream, type OpenStream } from "./harness/open-stream.ts";
import { Partition } from "./harness/partition.ts";
import { startSharedStores, type SharedStores } from "./harness/servers.ts";
import { Stage } from "./harness/stage.ts";

const gateways = 4;
const streams = 500;
const boundMs = 1_000;
const stalenessMs = 3_000;
const probeEveryMs = 100;
/** After an order, for so long requests are tried on every gateway. */
const probingMs = 1_500;
const patienceMs = 20_000;

/** Admits from what is left of a slice while Valkey is away, so that it is revocation that must stop it. */
const limits: readonly LimitInput[] = [
  {
    name: "tokens-per-day",
    unit: "tokens",
    window: "day",
    ceiling: 2_000_000_000,
    slices: true,
    onOutage: "allow-local",
  },
];

interface Situation {
  readonly title: string;
  readonly revokes: "tenant" | "key";
  begin(stores: SharedStores): Promise<void> | void;
  end(stores: SharedStores): Promise<void> | void;
}

const situations: readonly Situation[] = [
  { title: "both stores", revokes: "tenant", begin: () => undefined, end: () => undefined },
  { title: "a key revoked", revokes: "key", begin: () => undefined, end: () => undefined },
  { title: "Valkey down", revokes: "tenant", begin: ({ valkey }) => valkey.kill(), end: ({ valkey }) => valkey.resume() },
  {
    title: "PostgreSQL down",
    revokes: "tenant",
    begin: ({ postgres }) => postgres.halt("immediate"),
    end: ({ postgres }) => postgres.resume(),
  },
];

interface Round {
  readonly title: string;
  readonly cut: number;
  /** From the order to a stream's last piece of content, and to its end with the error event. */
  readonly lastContentMs: readonly number[];
  readonly endMs: readonly number[];
  /** From the order to the last request that was admitted anywhere. */
  readonly admittedMs: number;
  readonly state: RevocationStateDocument;
}

interface CutOff {
  readonly admittedMs: number;
  readonly probes: number;
  readonly refusedWith: string;
  readonly heardAgainMs: number;
}

export const revocation: Drill = {
  name: "revocation",
  summary: "500 open streams over 4 gateways, cut by one order: with both stores, with one, and a gateway cut off from both",
  needs: ["postgres", "valkey"],
  async run(options) {
    const stores = await startSharedStores(options.children);
    const agent = new Agent({ connections: null, bodyTimeout: patienceMs, headersTimeout: patienceMs });
    const closing: (() => Promise<void> | void)[] = [() => stores.stop(), () => agent.destroy()];
    try {
      const folder = options.children.scratch();
      const { toPostgres, toValkey, variables } = await partitioned(stores, folder);
      closing.push(
        () => toPostgres.close(),
        () => toValkey.close(),
      );
      const stage = await Stage.start({
        children: options.children,
        gateways,
        stores,
        variables: { STRAIT_REVOCATION_STALENESS_MS: String(stalenessMs) },
        // The last gateway reaches the stores by a way of its own.
        variablesOf: (index) => (index === gateways - 1 ? variables : {}),
        upstream: { events: 1_000_000, intervalMs: 200 },
        limits,
        patienceMs,
      });
      const rounds: Round[] = [];
      for (const situation of situations) rounds.push(await play(situation, stage, stores, agent, options));
      const cutOff = await isolate(stage, agent, [toPostgres, toValkey], options);
      await Promise.all(stage.gateways.map((gateway) => gateway.stop()));
      stage.upstream.close();
      return reportOf(rounds, cutOff);
    } finally {
      for (const close of closing.toReversed()) await close();
    }
  },
};

async function partitioned(
  stores: SharedStores,
  folder: string,
): Promise<{ toPostgres: Partition; toValkey: Partition; variables: Readonly<Record<string, string>> }> {
  const url = new URL(stores.databaseUrl);
  const socket = ".s.PGSQL.5432";
  const toPostgres = await Partition.start(join(folder, socket), join(url.searchParams.get("host") ?? "", socket));
  const toValkey = await Partition.start(0, stores.valkey.port);
  url.searchParams.set("host", folder);
  return {
    toPostgres,
    toValkey,
    variables: { ...stores.variables, STRAIT_DATABASE_URL: url.href, STRAIT_QUOTA_URL: `redis://127.0.0.1:${toValkey.port}` },
  };
}

async function play(
  situation: Situation,
  stage: Stage,
  stores: SharedStores,
  agent: Agent,
  { say }: DrillOptions,
): Promise<Round> {
  const { title } = situation;
  const { operator } = stage.gateway(0);
  const { key, id: keyId } = await operator.issueKey(stage.tenant.id);
  const open = await openAll(stage, agent, title, key);
  say(`${title}: ${open.length} streams are open`);
  await situation.begin(stores);
  await delay(500);
  const orderedAtMs = performance.now();
  const [orderId, probes] = await Promise.all([
    situation.revokes === "key" ? revokeKey(operator, stage.tenant.id, keyId) : revokeTenant(operator, stage.tenant.id, title),
    probeAll(stage, agent, `${title} probe`, key, probingMs),
  ]);
  await Promise.race([Promise.all([...open, ...probes].map(({ over }) => over)), delay(3 * boundMs)]);
  const state = await acknowledged(stage.gateway(0), orderId);
  say(`${title}: ${state.acknowledgements.length} gateways acknowledged`);
  await situation.end(stores);
  await operator.ask("POST", `/revocations/${orderId}/restore`);
  return {
    title,
    cut: open.filter(({ tail }) => tail.includes('"code":"revoked"')).length,
    lastContentMs: open.map(({ lastContentMs }) => (lastContentMs ?? Number.POSITIVE_INFINITY) - orderedAtMs),
    endMs: open.map(({ endedMs }) => (endedMs ?? Number.POSITIVE_INFINITY) - orderedAtMs),
    admittedMs: lastAdmitted(probes, orderedAtMs),
    state,
  };
}

/** Resolves once every stream has begun on some gateway; those refused meanwhile, after a store came back, are asked for again. */
async function openAll(stage: Stage, agent: Agent, name: string, key: string): Promise<readonly OpenStream[]> {
  const open: OpenStream[] = [];
  const untilMs = performance.now() + patienceMs;
  let number = 0;
  while (performance.now() < untilMs) {
    const running = open.filter(({ endedMs }) => endedMs === undefined);
    if (running.length === streams && running.every(({ lastContentMs }) => lastContentMs !== undefined)) return running;
    for (let missing = Math.min(streams - running.length, 50); missing > 0; missing -= 1) {
      open.push(streamOf(stage, agent, name, key, number));
      number += 1;
    }
    await delay(50);
  }
  throw new Error(`${name}: ${streams} streams could not be opened: ${open.at(-1)?.tail ?? ""}\n${stage.gateway(0).tail}`);
}

function streamOf(stage: Stage, agent: Agent, name: string, key: string, number: number): OpenStream {
  return openStream(agent, stage.gateway(number).url, key, stage.client.model, drillRequest(name, number));
}

async function revokeTenant(operator: Operator, tenant: string, reason: string): Promise<string> {
  return (await operator.ask<IssuedRevocationDocument>("POST", "/revocations", { tenant, reason })).id;
}

/** A key that is revoked is told by an order as well, so that replicas acknowledge it. */
async function revokeKey(operator: Operator, id: string, keyId: string): Promise<string> {
  await operator.revokeKey({ id, keyId });
  const { revocations } = await operator.ask<{ revocations: { id: string; key: string | null }[] }>("GET", "/revocations");
  return revocations.find(({ key }) => key === keyId)?.id ?? "";
}

/** Asks every gateway again and again. */
async function probeAll(stage: Stage, agent: Agent, name: string, key: string, forMs: number): Promise<readonly OpenStream[]> {
  const probes: OpenStream[] = [];
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; await delay(probeEveryMs)) {
    for (let turn = 0; turn < gateways; turn += 1) probes.push(streamOf(stage, agent, name, key, turn));
  }
  return probes;
}

/** How long after this instant the last request was sent that was admitted; 0 where none was. */
function lastAdmitted(probes: readonly OpenStream[], sinceMs: number): number {
  return Math.max(0, ...probes.filter(({ status }) => status === 200).map(({ beganMs }) => beganMs - sinceMs));
}

async function acknowledged(gateway: Gateway, orderId: string): Promise<RevocationStateDocument> {
  const untilMs = performance.now() + 5 * boundMs;
  for (;;) {
    const state = await gateway.operator.ask<RevocationStateDocument>("GET", `/revocations/${orderId}`);
    if (state.complete || performance.now() > untilMs) return state;
    await delay(100);
  }
}

/** A gateway that hears of neither store, while an order is given elsewhere. */
async function isolate(stage: Stage, agent: Agent, ways: readonly Partition[], { say }: DrillOptions): Promise<CutOff> {
  const last = gateways - 1;
  let number = last;
  const probe = (): OpenStream => streamOf(stage, agent, "cut off", stage.tenant.key, (number += gateways));
  // Until it serves again after the round before, and holds a slice.
  const servesMs = performance.now() + patienceMs;
  for (let served = 0; served < 10 && performance.now() < servesMs; await delay(probeEveryMs)) {
    const one = probe();
    await Promise.race([one.over, delay(300)]);
    if (one.status === 200) served += 1;
  }
  for (const way of ways) way.cut();
  const cutAtMs = performance.now();
  say("a gateway is cut off from both stores");
  const id = await revokeTenant(stage.gateway(0).operator, stage.tenant.id, "cut off");
  const probes: OpenStream[] = [];
  for (const untilMs = cutAtMs + stalenessMs + 1_500; performance.now() < untilMs; await delay(probeEveryMs))
    probes.push(probe());
  for (const way of ways) way.heal();
  const healedAtMs = performance.now();
  const heardAgain = async (): Promise<number> => {
    for (const untilMs = healedAtMs + patienceMs; performance.now() < untilMs; await delay(50)) {
      const one = probe();
      await Promise.race([one.over, delay(500)]);
      if (one.tail.includes(id)) return performance.now() - healedAtMs;
    }
    return Number.POSITIVE_INFINITY;
  };
  const heardAgainMs = await heardAgain();
  const refusals = probes.filter(({ status }) => status === 503).map(({ tail }) => /"code":"([^"]+)"/.exec(tail)?.[1] ?? "?");
  return {
    admittedMs: lastAdmitted(probes, cutAtMs),
    probes: probes.filter(({ status }) => status === 200).length,
    refusedWith: [...new Set(refusals)].join(", "),
    heardAgainMs,
  };
}

function reportOf(rounds: readonly Round[], cutOff: CutOff): Awaited<ReturnType<Drill["run"]>> {
  const bounds = rounds.flatMap((round): Bound[] => [
    { title: `${round.title}: streams not cut with an error event`, is: streams - round.cut, atMost: 0 },
    { title: `${round.title}: p99 from the order to the last content, ms`, is: p99(round.lastContentMs), atMost: boundMs },
    { title: `${round.title}: p99 from the order to the error event, ms`, is: p99(round.endMs), atMost: boundMs },
    { title: `${round.title}: last request admitted after the order, ms`, is: round.admittedMs, atMost: boundMs },
    { title: `${round.title}: gateways that did not acknowledge`, is: gateways - acknowledging(round), atMost: 0 },
  ]);
  return {
    tables: [
      {
        title: "from the order, in milliseconds",
        columns: [
          "",
          "streams cut",
          "last content p50",
          "p99",
          "error event p50",
          "p99",
          "last admitted",
          "acknowledged",
          "took",
        ],
        rows: rounds.map((round) => [
          round.title,
          round.cut,
          whole(percentile(round.lastContentMs, 0.5)),
          whole(p99(round.lastContentMs)),
          whole(percentile(round.endMs, 0.5)),
          whole(p99(round.endMs)),
          whole(round.admittedMs),
          acknowledging(round),
          round.state.tookMs ?? "-",
        ]),
      },
      {
        title: "a gateway cut off from both stores, in milliseconds",
        columns: ["", "admitted since", "last admitted", "refused with", "order known after the way is back"],
        rows: [["cut off", cutOff.probes, whole(cutOff.admittedMs), cutOff.refusedWith, whole(cutOff.heardAgainMs)]],
      },
    ],
    bounds: [
      ...bounds,
      { title: "cut off: last request admitted after the cut, ms", is: cutOff.admittedMs, atMost: stalenessMs },
    ],
    notes: [
      `${streams} streams over ${gateways} gateways, a piece of content every 200 ms; requests are tried every ${probeEveryMs} ms on each`,
      `STRAIT_REVOCATION_STALENESS_MS=${stalenessMs}`,
    ],
  };
}

function p99(values: readonly number[]): number {
  return percentile(values, 0.99);
}

function acknowledging({ state }: Round): number {
  return state.complete ? state.acknowledgements.length : 0;
}

function whole(ms: number): string {
  return Number.isFinite(ms) ? ms.toFixed(0) : "none";
}
