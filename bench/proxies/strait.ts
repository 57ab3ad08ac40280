import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildProcess } from "node:child_process";
import { Unavailable } from "../proxy.ts";
import type { Proxy, Running, StartContext } from "../proxy.ts";
import type { Settings } from "../settings.ts";
import { freePort, outputTail, reportedOrigin, untilAnswering } from "../start.ts";
import { tenantKey } from "./strait-control.ts";
import { writeRegions } from "./strait-regions.ts";
import { sizeNames } from "../targets.ts";
import { fillDirectory } from "./strait-tenants.ts";

const main = fileURLToPath(new URL("../../src/runtime/node/main.ts", import.meta.url));
const operatorKey = "bench-operator-key-for-one-run-on-loopback";
const startMs = 20_000;

/** How large the gateway's world is. Without `tenants` there is one, made through the operators' API. */
interface Size {
  readonly tenants?: number;
  readonly deployments: number;
}

/** The gateway as it runs in production: keys, policy, limits, journal and a tenth of the traces, all on. */
export const strait: Proxy = gateway("strait", { deployments: 5 });

/** The same in several sizes. Requests come from all tenants that call, in turn. */
export function straitSizes({ manyTenants, manyDeployments }: Settings): readonly Proxy[] {
  // One process for both: the same directory, called by few and by all.
  let many: Promise<Running> | undefined;
  const startMany = (context: StartContext): Promise<Running> =>
    (many ??= start("100,000 tenants", { tenants: manyTenants, deployments: 5 }, context));
  const few = ({ target, ...running }: Running): Running => ({
    ...running,
    target: { ...target, keys: target.keys.slice(0, 10) },
  });
  return [
    gateway(sizeNames.smallest, { tenants: 10, deployments: 5 }),
    { name: sizeNames.manyTenants, runsOnNode: true, start: async (context) => few(await startMany(context)) },
    { name: sizeNames.allCalling, runsOnNode: true, start: startMany },
    gateway(sizeNames.manyDeployments, { tenants: 10, deployments: manyDeployments }),
  ];
}

function gateway(name: string, size: Size): Proxy {
  return { name, runsOnNode: true, start: (context) => start(name, size, context) };
}

async function start(name: string, size: Size, context: StartContext): Promise<Running> {
  if (!existsSync(main)) throw new Unavailable("src/runtime/node/main.ts is missing");
  const { children, scratch, upstreamOrigin, nodeArguments } = context;
  const regions = join(scratch, "regions");
  const data = join(scratch, "data");
  const model = writeRegions(regions, upstreamOrigin, size.deployments);
  const filled = size.tenants === undefined ? undefined : fillDirectory(data, size.tenants, model);
  const sink = children.fork(new URL("../otlp-sink.ts", import.meta.url), [], {});
  const port = await freePort();
  const child = children.spawn(process.execPath, [...nodeArguments, main], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment({ port, data, regions, sink: await reportedOrigin(sink) }),
  });
  const origin = `http://127.0.0.1:${port}`;
  await listening(name, child);
  const keys = filled ?? [await tenantKey(origin, operatorKey, model)];
  const target = { origin, path: "/v1/chat/completions", headers: [], keys, model: model.id };
  await untilAnswering(name, child, target);
  const stop = async (): Promise<void> => {
    await children.stop(child);
    await children.stop(sink);
  };
  return { pid: child.pid ?? 0, target, stop };
}

/** Nothing of the caller's own settings for the gateway or for OpenTelemetry may reach what is measured. */
function environment(places: {
  readonly port: number;
  readonly data: string;
  readonly regions: string;
  readonly sink: string;
}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(STRAIT_|OTEL_|HOST$|PORT$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    HOST: "127.0.0.1",
    PORT: String(places.port),
    STRAIT_DATA_DIR: places.data,
    STRAIT_REGIONS_DIR: places.regions,
    STRAIT_OPERATOR_KEY: operatorKey,
    // A stop must not wait for streams that are held open on purpose.
    STRAIT_DRAIN_MS: "0",
    BENCH_UPSTREAM_KEY: "bench-upstream-key",
    OTEL_EXPORTER_OTLP_ENDPOINT: places.sink,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.1",
    // Sent soon, so that the cost of sending falls into the window in which the requests are counted.
    OTEL_BSP_SCHEDULE_DELAY: "200",
  };
}

function listening(name: string, child: ChildProcess): Promise<void> {
  const tail = outputTail(child);
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(new Unavailable(`${name} did not come up: ${why} ${tail().slice(-600)}`.trim()));
    const late = setTimeout(() => failed("it did not listen in time"), startMs);
    child.stdout?.on("data", () => {
      if (!/listening on http:\/\//i.test(tail())) return;
      clearTimeout(late);
      resolve();
    });
    child.once("error", (error) => failed(error.message));
    // On "close" and not on "exit": only then has all that it said arrived.
    child.once("close", (code) => {
      clearTimeout(late);
      failed(`it ended with ${code}.`);
    });
  });
}
