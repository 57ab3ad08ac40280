import { waitUntil } from "cloudflare:workers";
import { createApplication, type Application } from "../../application.ts";
import { OpenExchanges } from "../../open-exchanges.ts";
import { Revocations } from "../../revocation/revocations.ts";
import { Health } from "../../routing/health.ts";
import { createSecretBox } from "../../secret-box.ts";
import { hex } from "../../tenant/key.ts";
import { simulatedWorld } from "../../simulated-world.ts";
import { publishedKeys } from "../../transparency/log-keys.ts";
import { noteSigner } from "../../transparency/signed-note.ts";
import { sha256, systemClock, systemEntropy } from "./clock.ts";
import { demoOperatorKey, isLoopback, NotConfigured, readConfig, type Config } from "./config.ts";
import { secretCredentials } from "./credentials.ts";
import { prepareDemo, simulatorUrl } from "./demo.ts";
import type { Bindings } from "./environment.ts";
import { IsolateRevocations } from "./isolate-revocations.ts";
import { IsolatePolicies } from "./isolate-policies.ts";
import { hashes } from "./hashes.ts";
import { log } from "./log.ts";
import { readWorkerLogKeys } from "./log-key.ts";
import { objectRetention } from "./object-retention.ts";
import { openObjectRevocations } from "./object-revocations.ts";
import { policyKeys } from "./regions.ts";
import { openObjectStores } from "./stores.ts";
import { startTelemetry, type Telemetry } from "./telemetry.ts";
import { WorkerTransport, type Fetch } from "./transport.ts";
import { variablesOf } from "./variables.ts";

/** The gateway of one isolate. Holds data only: a promise or a stream of one request must not be used by another. */
export interface Assembly {
  readonly application: Application;
  readonly telemetry: Telemetry;
  readonly config: Config;
}

/** Puts the gateway together for an isolate's first request; throws `NotConfigured` with all that is wrong. */
export async function assemble(bindings: Bindings, first: Request): Promise<Assembly> {
  const variables = variablesOf(bindings);
  const read = readConfig(variables);
  const logKeys = await readWorkerLogKeys(variables);
  if (!read.ok || !logKeys.ok) {
    const problems = [...(read.ok ? [] : read.problems), ...(logKeys.ok ? [] : [logKeys.problem])];
    throw new NotConfigured(problems.join("; "));
  }
  const { config } = read;
  const { demo } = config;
  const inside = demo && config.simulatorUrl === undefined;
  const { bundles, ...stores } = openObjectStores(bindings, waitUntil);
  const policies = await IsolatePolicies.open({
    keys: await policyKeys(config.policyKeys),
    records: bundles,
    adapt: (world) => (demo ? simulatedWorld(world, config.simulatorUrl ?? simulatorUrl) : world),
    log,
  });
  const telemetry = await startTelemetry(variables, log);
  const path = openObjectRevocations(bindings, policies.hear);
  const revocations = new Revocations({
    paths: [path],
    replica: { id: hex(systemEntropy.bytes(6)), name: placeOf(first), startedAtMs: systemClock.nowMs() },
    clock: systemClock,
    elapsed: systemClock,
    stalenessMs: config.settings.revocationStalenessMs,
  });
  const secretBox = createSecretBox(config.secretKeys, systemEntropy);
  const application = createApplication({
    clock: systemClock,
    entropy: systemEntropy,
    sha256,
    hashes,
    secretBox,
    log,
    tracer: telemetry.tracer,
    ...stores,
    logs: {
      published: publishedKeys(logKeys.keys),
      sign: noteSigner(logKeys.keys, systemClock, hashes.sha256Bytes),
      of: stores.logOf,
    },
    world: policies.world,
    policies: policies.current,
    loading: policies.loading(),
    transport: new WorkerTransport(inside ? simulatorFetch(bindings) : (request) => fetch(request)),
    credentials: demo ? () => "simulated" : secretCredentials(variables),
    health: new Health(),
    open: new OpenExchanges(),
    revocations: new IsolateRevocations(revocations, path, {
      directory: stores.directory,
      clock: systemClock,
      later: waitUntil,
      log,
      stalenessMs: config.settings.revocationStalenessMs,
    }),
    orders: revocations,
    applyRetention: objectRetention(bindings, systemEntropy),
    settings: { ...config.settings, gatewayPlace: variables["STRAIT_GATEWAY_PLACE"] || placeOf(first) },
    // Without a key of the operator's nobody has one: `main` says so before it comes to that.
    operatorKey: config.operatorKey ?? (demo ? demoOperatorKey : randomKey()),
  });
  if (demo) {
    const ports = {
      directory: stores.directory,
      clock: systemClock,
      entropy: systemEntropy,
      sha256,
      secretBox,
      catalogue: () => policies.world(systemClock.nowMs()).catalogue,
    };
    await prepareDemo(ports, config, new URL(first.url).origin);
  }
  return { application, telemetry, config };
}

/** In a demonstration nothing leaves this machine, whatever else goes wrong. */
function simulatorFetch({ SIMULATOR: simulator }: Bindings): Fetch {
  if (simulator === undefined) throw new NotConfigured("STRAIT_DEMO needs the service binding SIMULATOR");
  return (request) => simulator.fetch(request);
}

/** An isolate stays in one data centre. `wrangler dev` invents one, which must not get into a receipt. */
function placeOf(first: Request): string {
  if (isLoopback(new URL(first.url))) return "this machine";
  const colo: unknown = first.cf?.["colo"];
  return typeof colo === "string" ? `cloudflare:${colo}` : "cloudflare";
}

function randomKey(): string {
  return systemEntropy.bytes(32).join("-");
}
