import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newLogKey } from "../../../src/runtime/node/log-key.ts";
import { Child, repository } from "./child.ts";
import type { GatewayUnderTest, StartGateway } from "./gateway-under-test.ts";
import { testOperatorKey } from "./start-node.ts";
import { credentialVariables, startUpstreams, writeBundles, writeRegions } from "./upstreams.ts";

/**
 * The gateway as `wrangler dev` runs it. From a copy of the sources: wrangler watches what it serves, and an edit while
 * the suite runs would restart the gateway under it.
 */
export const startWorkerd: StartGateway = async ({ environment = {}, credential, bundles } = {}): Promise<GatewayUnderTest> => {
  const upstreams = await startUpstreams(credential);
  const project = mkdtempSync(join(tmpdir(), "strait-workerd-"));
  for (const name of ["src", "regions", "wrangler.toml", "package.json"])
    cpSync(join(repository, name), join(project, name), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(project, "node_modules"));
  if (credential !== undefined) writeRegions(join(project, "regions"), upstreams.url);
  if (bundles !== undefined) writeBundles(join(project, "regions"), bundles);
  const dataDir = join(project, "data");
  mkdirSync(dataDir);
  const variables = {
    STRAIT_OPERATOR_KEY: testOperatorKey,
    ...(credential === undefined
      ? { STRAIT_SIMULATOR_URL: upstreams.url }
      : { STRAIT_DEMO: "false", STRAIT_LOG_KEY: JSON.stringify(newLogKey(0)), ...credentialVariables(credential) }),
    ...environment,
  };
  const child = new Child(
    process.execPath,
    [
      join(repository, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      "--port=0",
      "--inspector-port=0",
      `--persist-to=${dataDir}`,
      "--show-interactive-dev-session=false",
      ...Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
    ],
    {
      cwd: project,
      // A registry of its own: service bindings would otherwise reach another `wrangler dev` on this machine.
      environment: {
        CI: "true",
        WRANGLER_SEND_METRICS: "false",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        WRANGLER_REGISTRY_PATH: join(project, "registry"),
        MINIFLARE_REGISTRY_PATH: join(project, "registry"),
        WRANGLER_LOG_PATH: join(project, "logs"),
      },
    },
  );
  const stop = async (): Promise<void> => {
    await child.stop();
    await upstreams.close();
    rmSync(project, { recursive: true, force: true });
  };
  try {
    const [, url = ""] = await child.waitFor(/Ready on (http:\/\/\S+)/, 60_000);
    // The first request puts the gateway together, which no test should wait for.
    await fetch(`${url}/healthz`);
    return { ...upstreams, url, operatorKey: testOperatorKey, dataDir, output: () => child.output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
