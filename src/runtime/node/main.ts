import cluster from "node:cluster";
import { parseArgs } from "node:util";
import type { World } from "../../policy/world.ts";
import { formatProblems } from "../../region/problem.ts";
import { sha256, systemClock } from "./clock.ts";
import { readConfig, type Config } from "./config.ts";
import { environmentCredentials } from "./credentials.ts";
import { banner, demoOperatorKey, prepareDemo } from "./demo.ts";
import { log } from "./log.ts";
import { runProcesses } from "./processes.ts";
import { readRegions } from "./regions.ts";
import { serve, type ServeOptions } from "./serve.ts";
import { simulatedWorld } from "../../simulated-world.ts";
import { profilesOf } from "../../simulator/profile.ts";
import { startSimulator } from "./simulator-server.ts";

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
  const reading = readRegions(config.regionsDir, sha256);
  if (!reading.ok) {
    process.stderr.write(`${formatProblems(reading.problems)}\n`);
    return 1;
  }
  const world: World = { catalogue: reading.catalogue, policy: reading.policy };
  if (values.check === true) {
    const { regions, deployments, models } = world.catalogue;
    process.stdout.write(
      `${config.regionsDir} is valid: ${regions.size} regions, ${deployments.size} deployments, ${models.size} models, policy ${world.policy.version}\n`,
    );
    return 0;
  }
  return values.demo === true ? startDemo(config, world) : startProduction(config, world);
}

async function startProduction(config: Config, world: World): Promise<number | undefined> {
  if (config.operatorKey === undefined) {
    process.stderr.write("Set STRAIT_OPERATOR_KEY to a secret of your own (24 characters or more): it guards /control/v1.\n");
    return 2;
  }
  const credentials = environmentCredentials(process.env, () => systemClock.nowMs());
  const missing = [...world.catalogue.regions.values()].filter((region) => credentials(region) === undefined);
  if (missing.length === world.catalogue.regions.size) {
    process.stderr.write(
      "No region has a credential. Set the variables that regions/*.toml name, or run the demonstration: npm start\n",
    );
    return 2;
  }
  if (cluster.isPrimary && missing.length > 0)
    log.warn("regions without a credential are not used", { regions: missing.map((region) => region.id).join(", ") });
  return run(config, { world, operatorKey: config.operatorKey, credentials, adapt: (read) => read }, {}, () => "");
}

async function startDemo(config: Config, world: World): Promise<number | undefined> {
  const operator = config.operatorKey === undefined ? demoOperatorKey(config.dataDir) : { key: config.operatorKey, isNew: false };
  const givenUrl = process.env[simulatorVariable];
  const simulator =
    givenUrl === undefined ? await startSimulator({ profiles: profilesOf(world.catalogue), pace: demoPace }) : undefined;
  const simulatorUrl = givenUrl ?? simulator?.url ?? "";
  const adapt = (read: World): World => {
    simulator?.setCatalogue(read.catalogue);
    return simulatedWorld(read, simulatorUrl);
  };
  const options: ServeOptions = { world, operatorKey: operator.key, credentials: () => "simulated", adapt };
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
