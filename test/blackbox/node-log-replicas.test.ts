import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newLogKey } from "../../src/runtime/node/log-key.ts";
import { readCheckpoint } from "../../src/transparency/checkpoint.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { regionsWithin } from "./harness/catalogue.ts";
import { openaiClient } from "./harness/clients.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import type { TestTenant } from "./harness/operator.ts";
import { eventually } from "./harness/receipts.ts";
import { listening } from "./harness/start-node.ts";
import { get, strait } from "./harness/strait.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const model = "gpt-4o-mini";
const upstreams = sharedUpstreams();

describeOnPostgres("replicas that write one log on PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());

  let folder: string;

  /** A file beside the gateways' own. */
  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  const proofOf = (url: string, tenant: TestTenant, id: string): Promise<string> =>
    get(url, `/v1/strait/receipts/${id}/proof`, tenant);

  /** Asks for an answer, or for a model that there is none of, and gives the request's id. */
  async function ask(url: string, tenant: TestTenant, asked = model): Promise<string> {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: asked, messages }),
    });
    await response.text();
    expect(response.status).toBe(asked === model ? 200 : 404);
    return response.headers.get("x-request-id") ?? "";
  }

  /** Entries of the log, by their place; none is without its document. */
  async function requestsInLog(url: string, tenant: TestTenant): Promise<string[]> {
    interface Page {
      readonly entries: readonly { readonly document: string }[];
    }
    const requests: string[] = [];
    for (;;) {
      const path = `/tenants/${tenant.id}/log/entries?from=${requests.length}`;
      const { entries } = await operatorOf(url).ask<Page>("GET", path);
      if (entries.length === 0) return requests;
      requests.push(...entries.map(({ document }) => (JSON.parse(document) as { requestId: string }).requestId));
    }
  }

  test("prove every receipt from any of them, and go on with the same tree where one is killed in the middle", async () => {
    folder = temporaryFolder();
    const shared = {
      STRAIT_DATABASE_URL: await postgres.createDatabase(),
      STRAIT_LOG_KEY: JSON.stringify({ keys: [newLogKey(0)] }),
      STRAIT_LEASE_MS: "1500",
    };
    const killedData = join(folder, "killed");
    const killed = demo(upstreams(), { ...shared, STRAIT_DATA_DIR: killedData });
    const first = await listening(killed);
    // One after the other: both would make the demonstration's tenants.
    const second = await listening(demo(upstreams(), { ...shared, STRAIT_DATA_DIR: join(folder, "other") }));
    const tenant = await operatorOf(first).addTenant({ allowCountries: ["JP"] });
    const keys = file("keys.json", await get(second, "/.well-known/strait/jwks.json"));
    expect(await get(first, "/.well-known/strait/jwks.json")).toBe(await get(second, "/.well-known/strait/jwks.json"));

    const urls = [first, second];
    const asked = await Promise.all(
      Array.from({ length: 24 }, (_, index) => ask(urls[index % 2] ?? "", tenant, index % 6 < 5 ? model : "no-such-model")),
    );
    for (const id of asked)
      for (const url of urls) expect(JSON.parse(await proofOf(url, tenant, id))).toMatchObject({ receipt: { requestId: id } });
    const [ofFirst = "", ofSecond = ""] = asked;
    for (const [from, id] of [
      [second, ofFirst],
      [first, ofSecond],
    ] as const)
      expect(await strait("receipt", "verify", file("proof.json", await proofOf(from, tenant, id)), "--key", keys)).toContain(
        `Proved: ${id} is entry`,
      );
    const older = await get(first, "/v1/strait/log/checkpoint", tenant);
    const monday = file("monday.json", older);

    // What it has open when it dies, and what it answers until then.
    const [region = ""] = regionsWithin(model, ["JP"]);
    upstreams().faults(region, [{ kind: "slow", delayMs: 60 }]);
    const { data, request_id } = await openaiClient(first, tenant.key)
      .chat.completions.create({ model, messages, stream: true })
      .withResponse();
    await data[Symbol.asyncIterator]().next();
    upstreams().faults(region, []);
    const acknowledged: string[] = [];
    const busy = (async () => {
      for (;;) acknowledged.push(...(await Promise.all(Array.from({ length: 4 }, () => ask(first, tenant)))));
    })().catch(() => undefined);
    const others = (async () => {
      const ids: string[] = [];
      while (ids.length < 40) ids.push(await ask(second, tenant));
      return ids;
    })();
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(8));
    killed.signalGroup("SIGKILL");
    await busy;
    const meanwhile = await others;
    for (const id of meanwhile) await eventually(() => proofOf(second, tenant, id));
    const newer = await get(second, "/v1/strait/log/checkpoint", tenant);
    const friday = file("friday.json", newer);
    const path = `/v1/strait/log/consistency?size=${sizeAt(older)}&to=${sizeAt(newer)}`;
    const consistency = file("consistency.json", await get(second, path, tenant));
    expect(await strait("log", "verify", monday, friday, "--key", keys, "--proof", consistency)).toContain(
      `grew from ${sizeAt(older)} to ${sizeAt(newer)} entries`,
    );

    const again = await listening(demo(upstreams(), { ...shared, STRAIT_DATA_DIR: killedData }));
    const open = request_id ?? "";
    await eventually(async () =>
      expect(JSON.parse(await proofOf(second, tenant, open))).toMatchObject({ receipt: { end: "unsettled" } }),
    );
    // Also of what PostgreSQL was slow to take, which waited on the disk of the one that was killed.
    const answered = [...asked, ...acknowledged, ...meanwhile];
    for (const id of answered) for (const url of [again, second]) await eventually(() => proofOf(url, tenant, id));
    const auditing = ["log", "audit", tenant.id, "--key", keys, "--checkpoint", monday, "--checkpoint", friday];
    for (const url of [again, second]) expect(await strait(...auditing, "--url", url)).toContain("In order");
    const inLog = await requestsInLog(again, tenant);
    expect(inLog).toEqual([...new Set(inLog)]);
    expect(new Set([...inLog, ...answered, open]).size).toBe(inLog.length);
  }, 90_000);
});

/** How many entries a checkpoint covers. */
function sizeAt(answer: string): number {
  const { checkpoint } = JSON.parse(answer) as { readonly checkpoint: string };
  return readCheckpoint(checkpoint)?.size ?? 0;
}
