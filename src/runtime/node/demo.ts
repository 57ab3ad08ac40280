import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDemoTenants, type DemoTenant } from "../../demo-tenants.ts";
import type { World } from "../../policy/world.ts";
import { createSecretBox } from "../../secret-box.ts";
import { sha256, systemClock, systemEntropy } from "./clock.ts";
import type { Config } from "./config.ts";
import { log } from "./log.ts";
import { openStores } from "./stores.ts";

/** Shown at the first demonstration start and kept beside the data, so that the `strait` command finds it. */
export function demoOperatorKey(dataDir: string): { readonly key: string; readonly isNew: boolean } {
  const path = join(dataDir, "operator-key");
  try {
    return { key: readFileSync(path, "utf8").trim(), isNew: false };
  } catch {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const key = `sk-operator-${Buffer.from(systemEntropy.bytes(32)).toString("base64url")}`;
    writeFileSync(path, `${key}\n`, { mode: 0o600 });
    return { key, isNew: true };
  }
}

export async function prepareDemo(config: Config, world: World): Promise<readonly DemoTenant[]> {
  const stores = await openStores(config, systemClock, log, (model) => world.catalogue.models.get(model)?.tier);
  try {
    return await makeDemoTenants({
      directory: stores.directory,
      clock: systemClock,
      entropy: systemEntropy,
      sha256,
      secretBox: createSecretBox(config.secretKeys, systemEntropy),
      catalogue: () => world.catalogue,
    });
  } finally {
    await stores.close();
  }
}

/** What a newcomer reads after `npm start`. */
export function banner(url: string, tenants: readonly DemoTenant[], operatorKey: string | undefined, dataDir: string): string {
  const lines = [
    "",
    "Strait is in demonstration mode: every region is answered by a simulator on this machine, and no model is called.",
    "",
  ];
  for (const { id, explanation, key } of tenants) lines.push(`  tenant ${id} (${explanation})`, `    ${key}`, "");
  if (operatorKey !== undefined) lines.push("  operator key (for /control/v1 and the strait command)", `    ${operatorKey}`, "");
  const [tenant] = tenants;
  if (tenant === undefined) {
    lines.push(
      "  The tenants' keys were shown at the first start and are stored only as digests. For another one:",
      "    npx strait key issue demo_cn --name another",
      `  or remove ${dataDir} to begin anew.`,
      "",
    );
  } else {
    lines.push(
      "Try it:",
      "",
      `curl ${url}/v1/chat/completions -H 'Authorization: Bearer ${tenant.key}' -H 'Content-Type: application/json' -d '{"model":"gpt-4.1","messages":[{"role":"user","content":"Where do you run?"}]}'`,
      "",
    );
  }
  return lines.join("\n");
}
