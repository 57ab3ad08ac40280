import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { LimitInput } from "../blackbox/harness/operator.ts";
import type { Drill, DrillOptions } from "./drill.ts";
import { boundsOf, Crowd, cuttingOf, lastAdmitted, probeEveryMs, tableOf, whole, type Cutting } from "./harness/crowd.ts";
import type { OpenStream } from "./harness/open-stream.ts";
import { acknowledging, orderOf, quarantineOf, type Revoked } from "./harness/orders.ts";
import { Partition } from "./harness/partition.ts";
import { startSharedStores, type SharedStores } from "./harness/servers.ts";
import { Stage } from "./harness/stage.ts";

const gateways = 4;
const streams = 500;
const boundMs = 1_000;
const stalenessMs = 3_000;
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
  readonly revokes: Revoked;
  readonly begin: (stores: SharedStores) => Promise<void> | void;
  readonly end: (stores: SharedStores) => Promise<void> | void;
}

const nothing = (): void => undefined;

const situations: readonly Situation[] = [
  { title: "both stores", revokes: "an order", begin: nothing, end: nothing },
  { title: "a key revoked", revokes: "a key revoked", begin: nothing, end: nothing },
  { title: "a tenant suspended", revokes: "a tenant suspended", begin: nothing, end: nothing },
  { title: "Valkey down", revokes: "an order", begin: ({ valkey }) => valkey.kill(), end: ({ valkey }) => valkey.resume() },
  {
    title: "PostgreSQL down",
    revokes: "an order",
    begin: ({ postgres }) => postgres.halt("immediate"),
    end: ({ postgres }) => postgres.resume(),
  },
];

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
    const closing: (() => Promise<void> | void)[] = [() => stores.stop()];
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
      const crowd = new Crowd(
        stage.gateways.map(({ url }) => url),
        stage.client.model,
        patienceMs,
      );
      closing.push(() => crowd.close());
      const cuttings: Cutting[] = [];
      for (const situation of situations) cuttings.push(await play(situation, stage, stores, crowd, options));
      cuttings.push(await quarantine(stage, crowd, options));
      const cutOff = await isolate(stage, crowd, [toPostgres, toValkey], options);
      await Promise.all(stage.gateways.map((gateway) => gateway.stop()));
      stage.upstream.close();
      return reportOf(cuttings, cutOff);
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
  { title, revokes, begin, end }: Situation,
  stage: Stage,
  stores: SharedStores,
  crowd: Crowd,
  { say }: DrillOptions,
): Promise<Cutting> {
  const { operator } = stage.gateway(0);
  const { id } = stage.tenant;
  const { key, id: keyId } = await operator.issueKey(id);
  const open = await crowd.open(streams, title, key);
  say(`${title}: ${open.length} streams are open`);
  await begin(stores);
  await delay(500);
  const orderedAtMs = performance.now();
  const [orderId, probes] = await Promise.all([
    orderOf(revokes, operator, { id, key, keyId }),
    crowd.probe(`${title} probe`, key, probingMs),
  ]);
  const cutting = await cuttingOf(open, probes, orderedAtMs, 3 * boundMs);
  const acknowledged = await acknowledging(operator, orderId, 5 * boundMs);
  say(`${title}: ${acknowledged} gateways acknowledged`);
  await end(stores);
  if (revokes === "a tenant suspended") await operator.verification(id, "verified");
  else await operator.ask("POST", `/revocations/${orderId}/restore`);
  return { title, ...cutting, acknowledged, gateways };
}

/** An upstream that contradicts itself to one gateway, while all have streams open there. */
async function quarantine(stage: Stage, crowd: Crowd, { say }: DrillOptions): Promise<Cutting> {
  const title = "a deployment quarantined";
  const { operator } = stage.gateway(0);
  // One deployment is all that it may use.
  const tenant = await operator.addTenant({ tiers: stage.tiers, allowCountries: ["JP"], limits });
  const open = await crowd.open(streams, title, tenant.key);
  say(`${title}: ${open.length} streams are open`);
  const orderedAtMs = performance.now();
  stage.upstream.contradictOnce();
  const contradicted = crowd.stream(`${title} contradicted`, tenant.key, 0);
  await contradicted.over;
  const probes = await crowd.probe(`${title} probe`, tenant.key, probingMs);
  const cutting = await cuttingOf(open, probes, orderedAtMs, 3 * boundMs, "quarantined");
  const orderId = await quarantineOf(operator);
  const acknowledged = await acknowledging(operator, orderId, 5 * boundMs);
  say(`${title}: answered with ${contradicted.status}, ${acknowledged} gateways acknowledged`);
  await operator.ask("POST", `/revocations/${orderId}/restore`);
  return { title, ...cutting, acknowledged, gateways };
}

/** A gateway that hears of neither store, while an order is given elsewhere. */
async function isolate(stage: Stage, crowd: Crowd, ways: readonly Partition[], { say }: DrillOptions): Promise<CutOff> {
  const last = gateways - 1;
  let number = last;
  const probe = (): OpenStream => crowd.stream("cut off", stage.tenant.key, (number += gateways));
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
  const id = await orderOf("an order", stage.gateway(0).operator, stage.tenant);
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

function reportOf(cuttings: readonly Cutting[], cutOff: CutOff): Awaited<ReturnType<Drill["run"]>> {
  return {
    tables: [
      tableOf(cuttings),
      {
        title: "a gateway cut off from both stores, in milliseconds",
        columns: ["", "admitted since", "last admitted", "refused with", "order known after the way is back"],
        rows: [["cut off", cutOff.probes, whole(cutOff.admittedMs), cutOff.refusedWith, whole(cutOff.heardAgainMs)]],
      },
    ],
    bounds: [
      ...boundsOf(cuttings, boundMs),
      { title: "cut off: last request admitted after the cut, ms", is: cutOff.admittedMs, atMost: stalenessMs },
    ],
    notes: [
      `${streams} streams over ${gateways} gateways, a piece of content every 200 ms; requests are tried every ${probeEveryMs} ms on each`,
      `STRAIT_REVOCATION_STALENESS_MS=${stalenessMs}`,
    ],
  };
}
