import { join } from "node:path";
import { newLogKey } from "../../../src/runtime/node/log-key.ts";
import type { GatewayUnderTest, StartGateway } from "./gateway-under-test.ts";
import { testOperatorKey } from "./start-node.ts";
import { credentialVariables, startUpstreams, writeBundles, writeRegions } from "./upstreams.ts";
import { WorkerProject } from "./worker-project.ts";

/** The gateway as `wrangler dev` runs it. */
export const startWorkerd: StartGateway = async (settings = {}): Promise<GatewayUnderTest> => {
  const { environment = {}, credential, bundles, dataDir } = settings;
  const upstreams = await startUpstreams(credential);
  const project = new WorkerProject({ dataDir });
  if (credential !== undefined) writeRegions(join(project.directory, "regions"), upstreams.url);
  if (bundles !== undefined) writeBundles(join(project.directory, "regions"), bundles);
  const variables = {
    STRAIT_OPERATOR_KEY: testOperatorKey,
    ...(credential === undefined
      ? { STRAIT_SIMULATOR_URL: upstreams.url }
      : { STRAIT_DEMO: "false", STRAIT_LOG_KEY: JSON.stringify(newLogKey(0)), ...credentialVariables(credential) }),
    ...environment,
  };
  const release = async (): Promise<void> => {
    await upstreams.close();
    project.remove();
  };
  try {
    const { child, url } = await project.serve(
      Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
    );
    const stop = async (): Promise<void> => {
      await child.stop();
      await release();
    };
    // The first request puts the gateway together, which no test should wait for.
    await fetch(`${url}/healthz`);
    return { ...upstreams, url, operatorKey: testOperatorKey, dataDir: project.dataDir, output: () => child.output, stop };
  } catch (error) {
    await release();
    throw error;
  }
};
