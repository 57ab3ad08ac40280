import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createApplication } from "../../application.ts";
import type { PolicyShelf } from "../../bundle/policy-shelf.ts";
import { recordedRetention } from "../../control/retention.ts";
import { controlPath } from "../../control/route-parts.ts";
import { BufferedBooks } from "../../ledger/buffered-books.ts";
import { sweepExpired } from "../../ledger/sweep.ts";
import { OpenExchanges } from "../../open-exchanges.ts";
import type { World } from "../../policy/world.ts";
import { Health } from "../../routing/health.ts";
import { createSecretBox } from "../../secret-box.ts";
import { publishedKeys } from "../../transparency/log-keys.ts";
import { noteSigner } from "../../transparency/signed-note.ts";
import { TransparencyLog } from "../../transparency/transparency-log.ts";
import type { Credentials } from "../../upstream/address.ts";
import { watchCallers } from "../../watch-callers.ts";
import { sha256, systemClock, systemEntropy } from "./clock.ts";
import type { Config } from "./config.ts";
import { AddressCountries } from "./country-table.ts";
import { createEdge, type NodeInbound } from "./edge.ts";
import { hashes } from "./hashes.ts";
import { log } from "./log.ts";
import { WatchedRegions, type RegionsSource } from "./regions.ts";
import { openLogKeys } from "./log-key.ts";
import { keepLog } from "./log-keeper.ts";
import { scheduleRetention } from "./retention-schedule.ts";
import { followRevocations } from "./revocations.ts";
import { openStores, type Stores, type TierOf } from "./stores.ts";
import { startTelemetry } from "./telemetry.ts";
import { NodeTransport } from "./transport.ts";

export interface ServeOptions {
  readonly regions: RegionsSource;
  /** As first read from there. */
  readonly policies: PolicyShelf;
  readonly operatorKey: string;
  readonly credentials: Credentials;
  /** Applied to every reading of the regions folder: demonstration mode points the regions at its simulator. */
  readonly adapt: (world: World) => World;
}

export interface Serving {
  readonly url: string;
  /** Stops accepting, lets open answers end for a bounded time, cuts and settles the rest. */
  stop(): Promise<void>;
}

/** How long cut exchanges may take to settle before the stores are closed under them. */
const settleMs = 3_000;

/** One process of the gateway. */
export async function serve(config: Config, options: ServeOptions): Promise<Serving> {
  const regions = new WatchedRegions(options.regions, options.policies, log, options.adapt);
  const tierOf: TierOf = (model) => regions.world(systemClock.nowMs()).catalogue.models.get(model)?.tier;
  const logKeys = await openLogKeys(config.logKey, config.dataDir);
  const stores = await openStores(config, systemClock, log, tierOf);
  const loading = await regions.follow(stores.bundles);
  const receiptLog = new TransparencyLog(stores.tree, logKeys, systemClock, hashes.sha256Bytes);
  const telemetry = await startTelemetry(process.env);
  const countries = new AddressCountries({
    folder: config.countryTable,
    maxAgeDays: config.countryTableDays,
    nowMs: () => systemClock.nowMs(),
  });
  prepareCountries(countries, regions.world(systemClock.nowMs()));
  const transport = new NodeTransport({
    connections: config.upstreamConnections,
    connectMs: config.settings.deadlines.connectMs,
    countryOf: countries.countryOf,
  });
  const buffered = config.audit === "buffer" ? bufferedBooks(stores) : undefined;
  const open = new OpenExchanges();
  const followed = await followRevocations(config, log);
  const stopWatching = watchCallers(open, stores.directory, systemClock);
  const { retention } = stores;
  const deleting = new AbortController();
  const deletion = {
    directory: stores.directory,
    clock: systemClock,
    entropy: systemEntropy,
    log,
    nowMs: () => systemClock.nowMs(),
    stopping: deleting.signal,
  };
  const application = createApplication({
    clock: systemClock,
    entropy: systemEntropy,
    sha256,
    hashes,
    secretBox: createSecretBox(config.secretKeys, systemEntropy),
    log,
    tracer: telemetry.tracer,
    directory: stores.directory,
    world: regions.world,
    policies: regions.current,
    loading,
    quota: stores.quota,
    journal: stores.journal,
    refusals: buffered?.refusals ?? stores.refusals,
    logs: {
      published: publishedKeys(logKeys),
      sign: noteSigner(logKeys, systemClock, hashes.sha256Bytes),
      of: () => receiptLog,
    },
    reader: stores.reader,
    reservations: stores.reservations,
    writers: stores.writers,
    books: buffered?.books ?? stores.books,
    transport,
    credentials: options.credentials,
    health: new Health(),
    open,
    revocations: followed.revocations,
    orders: followed.revocations,
    applyRetention: recordedRetention({ records: retention.records, ...deletion }),
    settings: config.settings,
    operatorKey: options.operatorKey,
  });

  const control = getRequestListener(application.control.fetch);
  const server = createEdge((inbound, outbound) => {
    if (application.gateway.handle(inbound, outbound) !== undefined) return;
    if (isControl(inbound)) return void control(inbound.request, inbound.response);
    application.gateway.refuse({ kind: "route_not_found" }, inbound, outbound);
  });

  const { leaseMs } = config.settings;
  const sweep = (): void =>
    void sweepExpired(stores.quota, stores.journal, log).catch((error) => log.error("sweeping failed", { error: String(error) }));
  const sumUp = (): void =>
    void stores.sumUp().catch((error: unknown) => log.warn("usage could not be summed up", { error: String(error) }));
  const sweeping = setInterval(() => {
    sweep();
    sumUp();
  }, leaseMs / 3);
  sweep();
  const stopKeeping = keepLog(receiptLog, systemClock, log);
  const stopDeleting = scheduleRetention(retention, () => application.deleteDue(), systemClock, log);
  await listen(server, config);

  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    deleting.abort(new Error("the gateway stops"));
    await Promise.race([open.empty(), delay(config.drainMs)]);
    if (open.count > 0) log.warn("open answers are cut", { count: open.count });
    open.cut("shutting_down");
    await Promise.race([open.empty(), delay(settleMs)]);
    // What is left are idle connections and answers whose client does not read them.
    await Promise.race([closed, delay(200)]);
    server.closeAllConnections();
    clearInterval(sweeping);
    stopWatching();
    await stopDeleting();
    await followed.close();
    await stopKeeping();
    regions.close();
    await transport.close();
    await stores.close();
    await telemetry.shutdown();
  };
  return { url: urlOf(server, config.host), stop: () => (stopping ??= stop()) };
}

/** Only where a region asks for it: the table takes a second and ten megabytes. */
function prepareCountries(countries: AddressCountries, { catalogue }: World): void {
  const asking = [...catalogue.regions.values()].filter(({ connection }) => connection?.addressCountry !== undefined);
  if (asking.length === 0) return;
  const useless = countries.prepare();
  if (useless !== undefined)
    log.error("regions are refused, because the country of their address is not known", {
      why: useless,
      regions: asking.map(({ id }) => id).join(", "),
    });
}

function bufferedBooks({ books, refusals }: Stores): BufferedBooks {
  return new BufferedBooks({ books, refusals, clock: systemClock, log });
}

function isControl(inbound: NodeInbound): boolean {
  return inbound.path === controlPath || inbound.path.startsWith(`${controlPath}/`);
}

async function listen(server: Server, config: Config): Promise<void> {
  server.listen(config.port, config.host);
  await once(server, "listening");
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs).unref();
  });
}
