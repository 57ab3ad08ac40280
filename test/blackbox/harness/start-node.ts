import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { regionsDir as shippedRegions } from "./catalogue.ts";
import type { GatewayUnderTest, StartGateway } from "./gateway-under-test.ts";
import { credentialVariables, startUpstreams, writeBundles, writeRegions } from "./upstreams.ts";

export const testOperatorKey = "sk-operator-of-the-black-box-suite";

/** The gateway as `npm start` runs it, or as production does, with its stores in a folder that goes with it. */
export const startNode: StartGateway = async (settings = {}): Promise<GatewayUnderTest> => {
  const { environment = {}, credential, bundles } = settings;
  const upstreams = await startUpstreams(credential);
  const folder = mkdtempSync(join(tmpdir(), "strait-node-"));
  const dataDir = settings.dataDir ?? join(folder, "data");
  const regionsDir = join(folder, "regions");
  if (credential !== undefined) writeRegions(regionsDir, upstreams.url);
  else if (bundles !== undefined) cpSync(shippedRegions, regionsDir, { recursive: true });
  if (bundles !== undefined) writeBundles(regionsDir, bundles);
  const child = nodeGateway(credential === undefined ? ["--demo"] : [], {
    STRAIT_DATA_DIR: dataDir,
    STRAIT_OPERATOR_KEY: testOperatorKey,
    ...(credential === undefined ? { STRAIT_SIMULATOR_URL: upstreams.url } : credentialVariables(credential)),
    ...(credential === undefined && bundles === undefined ? {} : { STRAIT_REGIONS_DIR: regionsDir }),
    ...environment,
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    await upstreams.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const url = await listening(child);
    return { ...upstreams, url, operatorKey: testOperatorKey, dataDir, output: () => child.output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

export function nodeGateway(args: readonly string[], environment: Readonly<Record<string, string>>): Child {
  return new Child(process.execPath, ["src/runtime/node/main.ts", ...args], { environment: { PORT: "0", ...environment } });
}

/** The URL that it says it listens on. */
export async function listening(child: Child): Promise<string> {
  const [, url = ""] = await child.waitFor(/Strait is listening on (http:\S+)/, 30_000);
  return url;
}
