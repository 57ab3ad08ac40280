import { join } from "node:path";
import type { Children } from "../../../bench/children.ts";
import { writeRegions } from "../../../bench/proxies/strait-regions.ts";
import type { LimitInput, TestTenant } from "../../blackbox/harness/operator.ts";
import { readEmbeddedBooks, readSharedBooks, type Books } from "./books.ts";
import { Client } from "./client.ts";
import { Gateway } from "./gateway.ts";
import { RecordingUpstream, type RecordingUpstreamOptions } from "./recording-upstream.ts";
import type { SharedStores } from "./servers.ts";

export interface StageOptions {
  readonly children: Children;
  readonly gateways: number;
  /** What the gateways share; without it, each has embedded stores of its own. */
  readonly stores?: SharedStores;
  /** Settings of all gateways beside those that lead to stores and upstream. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Settings of one gateway, before all others. */
  readonly variablesOf?: (index: number) => Readonly<Record<string, string>>;
  readonly upstream: RecordingUpstreamOptions;
  readonly limits: readonly LimitInput[];
  /** How long the client waits for a sign of life. */
  readonly patienceMs: number;
}

/** Gateways before an upstream that counts for itself, with one tenant and its client. */
export class Stage {
  readonly upstream: RecordingUpstream;
  readonly gateways: readonly Gateway[];
  readonly tenant: TestTenant;
  readonly client: Client;
  /** What a tenant must have bought to be served here. */
  readonly tiers: readonly string[];
  readonly #dataDirs: readonly string[];
  readonly #options: StageOptions;

  private constructor(
    options: StageOptions,
    upstream: RecordingUpstream,
    gateways: readonly Gateway[],
    dataDirs: readonly string[],
    tenant: TestTenant,
    client: Client,
    tiers: readonly string[],
  ) {
    this.#options = options;
    this.upstream = upstream;
    this.gateways = gateways;
    this.#dataDirs = dataDirs;
    this.tenant = tenant;
    this.client = client;
    this.tiers = tiers;
  }

  static async start(options: StageOptions): Promise<Stage> {
    const { children, stores, variables, limits } = options;
    const upstream = await RecordingUpstream.start(options.upstream);
    const regions = join(children.scratch(), "regions");
    const model = writeRegions(regions, upstream.origin, 3);
    const dataDirs = Array.from({ length: options.gateways }, () => join(children.scratch(), "data"));
    const gateways = await Promise.all(
      dataDirs.map((dataDir, index) =>
        Gateway.start(children, {
          STRAIT_DATA_DIR: dataDir,
          STRAIT_REGIONS_DIR: regions,
          BENCH_UPSTREAM_KEY: "drill-upstream-key",
          ...stores?.variables,
          ...variables,
          ...options.variablesOf?.(index),
        }),
      ),
    );
    const [first] = gateways;
    if (first === undefined) throw new Error("a stage needs a gateway");
    const tiers = [model.tier];
    const tenant = await first.operator.addTenant({ tiers, limits });
    return new Stage(options, upstream, gateways, dataDirs, tenant, new Client(tenant.key, model.id, options.patienceMs), tiers);
  }

  /** The gateway whose turn it is. */
  gateway(turn: number): Gateway {
    const gateway = this.gateways[turn % this.gateways.length];
    if (gateway === undefined) throw new Error("a stage needs a gateway");
    return gateway;
  }

  /** What each limit says is used or held. */
  async used(): Promise<ReadonlyMap<string, number>> {
    const use = await this.gateway(0).operator.use(this.tenant.id);
    const remaining = new Map(use.map((one) => [one.name, one.remaining]));
    return new Map(this.#options.limits.map(({ name, ceiling }) => [name, ceiling - (remaining.get(name) ?? Number.NaN)]));
  }

  /** What was written so far, by gateways that run: of shared stores alone. */
  async books(): Promise<Books> {
    const { stores } = this.#options;
    if (stores === undefined) throw new Error("embedded books are read when their gateway is stopped");
    return readSharedBooks(stores.postgres, stores.databaseUrl, this.tenant.id);
  }

  /** Stops the gateways and reads what they wrote. */
  async finish(): Promise<Books> {
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await this.client.close();
    this.upstream.close();
    return this.#options.stores === undefined ? readEmbeddedBooks(this.#dataDirs[0] ?? "", this.tenant.id) : this.books();
  }
}
