import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { regionsDir } from "./harness/catalogue.ts";
import { openaiClient } from "./harness/clients.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import { eventually, receiptOf } from "./harness/receipts.ts";
import { policyKeys, signedPolicy } from "./harness/signed-policy.ts";
import { listening } from "./harness/start-node.ts";
import { writeBundles } from "./harness/upstreams.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const upstreams = sharedUpstreams();

test(
  "a bundle that is put into the folder takes over at its instant, ends at its end, and one that is damaged leaves it",
  { timeout: 60_000 },
  async () => {
    const folder = join(temporaryFolder(), "regions");
    cpSync(regionsDir, folder, { recursive: true });
    writeBundles(folder, { now: (await signedPolicy("now", 0)).text });
    const environment = { STRAIT_POLICY_KEYS: policyKeys, STRAIT_REGIONS_DIR: folder, STRAIT_DATA_DIR: temporaryFolder() };
    const child = demo(upstreams(), environment);
    const url = await listening(child);
    const tenant = await operatorOf(url).addTenant();
    const client = openaiClient(url, tenant.key);
    const ask = async (): Promise<Receipt> => {
      const { request_id } = await client.chat.completions.create({ model: "gpt-4.1", messages }).withResponse();
      return receiptOf(url, tenant.key, request_id ?? "");
    };
    expect((await ask()).policyVersion).toBe("now");

    const fromMs = Date.now() + 2_500;
    const toMs = fromMs + 1_500;
    writeBundles(folder, { next: (await signedPolicy("next", fromMs, toMs)).text });
    await child.waitFor(/regions reloaded/, 5_000);
    const seen = new Set<string>();
    while (Date.now() < toMs + 500) {
      const receipt = await ask();
      seen.add(receipt.policyVersion);
      // Decided between the two instants of the receipt, by the policy of then.
      if (receipt.startedAtMs >= fromMs && receipt.endedAtMs < toMs) expect(receipt.policyVersion).toBe("next");
      if (receipt.endedAtMs < fromMs || receipt.startedAtMs >= toMs) expect(receipt.policyVersion).toBe("now");
    }
    expect([...seen].sort()).toEqual(["next", "now"]);

    writeFileSync(join(folder, "bundles", "now.json"), (await signedPolicy("forged", 0, undefined, false)).text);
    await child.waitFor(/a policy bundle is not taken/, 5_000);
    await eventually(async () => expect((await ask()).policyVersion).toBe("now"));
  },
);
