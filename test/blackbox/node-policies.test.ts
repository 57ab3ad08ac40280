import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { regionsDir } from "./harness/catalogue.ts";
import type { Child } from "./harness/child.ts";
import { openaiClient } from "./harness/clients.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import { eventually, receiptOf } from "./harness/receipts.ts";
import { policyKeys, signedPolicy } from "./harness/signed-policy.ts";
import { listening, testOperatorKey } from "./harness/start-node.ts";
import { writeBundles } from "./harness/upstreams.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const upstreams = sharedUpstreams();

/** Takes a model back, so that what is refused shows as well by which policy it was decided. */
const withdrawal = `
[[rules]]
id = "taken-back"
kind = "withdrawal"
models = ["gpt-4o-mini"]
because = "This model was taken back."
`;

/** A receipt, or the record of a refusal. */
type DecisionRecord = Pick<Receipt, "policyDigest" | "inputs" | "startedAtMs" | "endedAtMs"> & {
  readonly end: string;
  readonly attempts?: Receipt["attempts"];
};

interface Answered {
  readonly url: string;
  readonly model: string;
  readonly requestId: string;
  readonly status: number;
}

/** Asks for both models in turn, on a connection of its own, until it is told to stop. */
async function askOn(url: string, key: string, until: () => boolean): Promise<readonly Answered[]> {
  const answered: Answered[] = [];
  while (!until()) {
    for (const model of ["gpt-4o", "gpt-4o-mini"]) {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", connection: "close" },
        body: JSON.stringify({ model, messages, max_tokens: 5 }),
      });
      await response.arrayBuffer();
      answered.push({ url, model, requestId: response.headers.get("x-request-id") ?? "", status: response.status });
    }
  }
  return answered;
}

/** How each replica's folder, or one replica for all, is given the next bundle. */
const ways: readonly {
  readonly how: string;
  readonly give: (bundle: string, replicas: readonly { readonly url: string; readonly folder: string }[]) => void | Promise<void>;
}[] = [
  {
    how: "a file in each one's folder",
    give: (next, replicas) => {
      for (const { folder } of replicas) writeBundles(folder, { next });
    },
  },
  {
    how: "loaded into one of them",
    async give(next, [first]) {
      expect((await loadBundle(first?.url ?? "", next)).status).toBe(201);
    },
  },
];

function loadBundle(url: string, bundle: string): Promise<Response> {
  return fetch(`${url}/control/v1/policy/bundles`, {
    method: "POST",
    headers: { authorization: `Bearer ${testOperatorKey}`, "content-type": "application/json" },
    body: bundle,
  });
}

describeOnPostgres("replicas of several processes each", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());

  test.each(ways)(
    "go over to the next policy at its instant, all of them, while requests flow: $how",
    { timeout: 120_000 },
    async ({ give }) => {
      const now = await signedPolicy("now", 0);
      const database = await postgres.createDatabase();
      const start = (): { readonly child: Child; readonly folder: string } => {
        const folder = join(temporaryFolder(), "regions");
        cpSync(regionsDir, folder, { recursive: true });
        writeBundles(folder, { now: now.text });
        const environment = {
          STRAIT_POLICY_KEYS: policyKeys,
          STRAIT_REGIONS_DIR: folder,
          STRAIT_DATA_DIR: temporaryFolder(),
          STRAIT_DATABASE_URL: database,
          STRAIT_PROCESSES: "2",
        };
        return { child: demo(upstreams(), environment), folder };
      };
      const first = start();
      const firstUrl = await listening(first.child);
      // One after the other: both would make the demonstration's tenants.
      const second = start();
      const urls = [firstUrl, await listening(second.child)];
      const { key } = await operatorOf(firstUrl).addTenant();

      const fromMs = Date.now() + 6_000;
      let isOver = false;
      const flows = urls.flatMap((url) => [askOn(url, key, () => isOver), askOn(url, key, () => isOver)]);
      const next = await signedPolicy("next", fromMs, undefined, true, withdrawal);
      await give(
        next.text,
        [first, second].map(({ folder }, index) => ({ folder, url: urls[index] ?? "" })),
      );
      // Each process reads it itself.
      for (const { child } of [first, second]) await child.waitFor(/regions reloaded[^]*regions reloaded/, 5_000);
      expect(Date.now()).toBeLessThan(fromMs);
      await delay(fromMs + 1_500 - Date.now());
      isOver = true;
      const answered = (await Promise.all(flows)).flat();

      const met = new Set<string>();
      for (const { url, model, requestId, status } of answered) {
        const record: DecisionRecord = await eventually(() => receiptOf(url, key, requestId));
        const side = record.policyDigest === next.digest ? "next" : "now";
        if (side === "now") expect(record.policyDigest).toBe(now.digest);
        // What it was decided by holds from the instant that the record names, and it was decided between its beginning and
        // its first attempt, or its end.
        const decidedByMs = record.attempts?.[0]?.startedAtMs ?? record.endedAtMs;
        expect({ side, isNext: (record.inputs?.atMs ?? NaN) >= fromMs }).toEqual({ side, isNext: side === "next" });
        if (decidedByMs < fromMs) expect(side).toBe("now");
        if (record.startedAtMs >= fromMs) expect(side).toBe("next");
        expect({ side, model, status }).toEqual({ side, model, status: side === "next" && model === "gpt-4o-mini" ? 403 : 200 });
        met.add(`${url} ${side} ${model}`);
      }
      expect(met.size).toBe(8);
    },
  );
});

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

test("a bundle that was loaded is there again after a restart, and decides", { timeout: 60_000 }, async () => {
  const folder = join(temporaryFolder(), "regions");
  cpSync(regionsDir, folder, { recursive: true });
  writeBundles(folder, { base: (await signedPolicy("base", 0)).text });
  const environment = { STRAIT_POLICY_KEYS: policyKeys, STRAIT_REGIONS_DIR: folder, STRAIT_DATA_DIR: temporaryFolder() };
  const child = demo(upstreams(), environment);
  const url = await listening(child);
  const { key } = await operatorOf(url).addTenant();
  expect((await loadBundle(url, (await signedPolicy("forged", 1_000, undefined, false)).text)).status).toBe(422);
  expect((await loadBundle(url, (await signedPolicy("loaded", 1_000)).text)).status).toBe(201);
  await child.stop();
  const again = await listening(demo(upstreams(), environment));
  const client = openaiClient(again, key);
  const { request_id } = await client.chat.completions.create({ model: "gpt-4.1", messages }).withResponse();
  expect((await receiptOf(again, key, request_id ?? "")).policyVersion).toBe("loaded");
});
