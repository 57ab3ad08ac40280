import cluster from "node:cluster";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import type { PolicyShelf } from "../../bundle/policy-shelf.ts";
import type { World } from "../../policy/world.ts";
import { sha256, systemClock } from "./clock.ts";
import { readConfig, type Config } from "./config.ts";
import { environmentCredentials } from "./credentials.ts";
import { banner, demoOperatorKey, prepareDemo } from "./demo.ts";
import { environmentProxies } from "./environment-proxies.ts";
import { log } from "./log.ts";
import { runProcesses } from "./processes.ts";
import { policyKeysOf } from "./policy-keys-setting.ts";
import { readPolicies, type RegionsSource } from "./regions.ts";
import { serve, type ServeOptions } from "./serve.ts";
import { simulatedWorld } from "../../simulated-world.ts";
import { profilesOf } from "../../simulator/profile.ts";
import { startSimulator } from "./simulator-server.ts";

// Each process has one core's work to do. Threads that help to collect short-lived garbage spend a tenth more CPU and, with
// every core busy, end no sooner.
setFlagsFromString("--no-parallel-scavenge");

const help = `Strait, an edge gateway for AI models that must stay offshore.

Usage: node src/runtime/node/main.ts [--demo | --check]

  --demo    answer every region by a simulator on this machine, and make two tenants to try it with
  --check   read regions/, print every problem with file and line, and start nothing
  --help    print this

Settings are environment variables (HOST, PORT, STRAIT_…, OTEL_…); README.md lists them.
`;

/** About as fast as a real model, so that a newcomer sees a stream. */
const demoPace = { latencyMs: 30, tokensPerSecond: 150 };

/** Set by the first process of several for the others. */
const simulatorVariable = "STRAIT_SIMULATOR_URL";

async function main(): Promise<number | undefined> {
  const { values } = parseArgs({
    options: { demo: { type: "boolean" }, check: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const read = readConfig(process.env);
  if (!read.ok) {
    process.stderr.write(
      `Strait cannot start with these settings:\n${read.problems.map((problem) => `  ${problem}\n`).join("")}`,
    );
    return 2;
  }
  const { config } = read;
  const keys = config.policyKeys === undefined ? undefined : await policyKeysOf(config.policyKeys);
  if (keys?.ok === false) {
    process.stderr.write(`STRAIT_POLICY_KEYS: ${keys.problem}.\n`);
    return 2;
  }
  const regions: RegionsSource = { directory: config.regionsDir, keys: keys?.keys, sha256 };
  const reading = await readPolicies(regions);
  if (!reading.ok) {
    process.stderr.write(`${reading.report}\n`);
    return 1;
  }
  if (values.check === true) {
    process.stdout.write(`${config.regionsDir} is valid: ${contents(reading.shelf)}\n`);
    return 0;
  }
  return values.demo === true ? startDemo(config, regions, reading.shelf) : startProduction(config, regions, reading.shelf);
}

function contents(policies: PolicyShelf): string {
  const { catalogue, policy } = policies.at(systemClock.nowMs());
  return `${catalogue.regions.size} regions, ${catalogue.deployments.size} deployments, ${catalogue.models.size} models, policy ${policy.version}`;
}

async function startProduction(config: Config, regions: RegionsSource, policies: PolicyShelf): Promise<number | undefined> {
  if (config.operatorKey === undefined) {
    process.stderr.write("Set STRAIT_OPERATOR_KEY to a secret of your own (24 characters or more): it guards /control/v1.\n");
    return 2;
  }
  if (config.databaseUrl !== undefined && config.logKey === undefined) {
    process.stderr.write(
      "Set STRAIT_LOG_KEY to the key of the log of receipts, or to a file with it: the replicas on one STRAIT_DATABASE_URL write one log, and all must sign it by the same key. `strait log rotate FILE` makes one.\n",
    );
    return 2;
  }
  const proxies = environmentProxies(process.env);
  if (proxies.length > 0 && !config.ignoresProxy) {
    process.stderr.write(
      `${proxies.join(", ")} would send requests through a proxy, where no address can be checked. Strait reaches upstreams directly or not at all: unset it, or set STRAIT_PROXY=ignore to say that this is known.\n`,
    );
    return 2;
  }
  const credentials = environmentCredentials(process.env, () => systemClock.nowMs());
  const { catalogue } = policies.at(systemClock.nowMs());
  const missing = [...catalogue.regions.values()].filter((region) => credentials(region) === undefined);
  if (missing.length === catalogue.regions.size) {
    process.stderr.write(
      "No region has a credential. Set the variables that regions/*.toml name, or run the demonstration: npm start\n",
    );
    return 2;
  }
  if (cluster.isPrimary && missing.length > 0)
    log.warn("regions without a credential are not used", { regions: missing.map((region) => region.id).join(", ") });
  const { operatorKey } = config;
  return run(config, { regions, policies, operatorKey, credentials, adapt: (read) => read }, {}, () => "");
}

async function startDemo(config: Config, regions: RegionsSource, policies: PolicyShelf): Promise<number | undefined> {
  const operator = config.operatorKey === undefined ? demoOperatorKey(config.dataDir) : { key: config.operatorKey, isNew: false };
  const world = policies.at(systemClock.nowMs());
  const givenUrl = process.env[simulatorVariable];
  const simulator =
    givenUrl === undefined ? await startSimulator({ profiles: profilesOf(world.catalogue), pace: demoPace }) : undefined;
  const simulatorUrl = givenUrl ?? simulator?.url ?? "";
  const adapt = (read: World): World => {
    simulator?.setCatalogue(read.catalogue);
    return simulatedWorld(read, simulatorUrl);
  };
  const options: ServeOptions = { regions, policies, operatorKey: operator.key, credentials: () => "simulated", adapt };
  const tenants = cluster.isPrimary ? await prepareDemo(config, world) : [];
  return run(config, options, { [simulatorVariable]: simulatorUrl }, (url) =>
    banner(url, tenants, operator.isNew ? operator.key : undefined, config.dataDir),
  );
}

/** Serves until it is told to stop; resolves with nothing, because the server keeps the process alive. */
async function run(
  config: Config,
  options: ServeOptions,
  childEnvironment: Readonly<Record<string, string>>,
  greeting: (url: string) => string,
): Promise<undefined> {
  if (cluster.isPrimary && config.processes > 1) {
    await runProcesses(config, childEnvironment, greeting);
    return;
  }
  const serving = await serve(config, options);
  if (cluster.isPrimary) process.stdout.write(`Strait is listening on ${serving.url}\n${greeting(serving.url)}\n`);
  const stop = (): void => {
    void serving.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("stopping failed", { error: String(error) });
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

try {
  const code = await main();
  if (code !== undefined) process.exitCode = code;
} catch (error) {
  process.stderr.write(`Strait could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  // Whatever was opened before the failure would keep the process alive.
  process.exit(1);
}
