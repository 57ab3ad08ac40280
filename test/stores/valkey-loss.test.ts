import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { JournalHistory } from "../../src/ledger/journal-history.ts";
import type { Journal } from "../../src/ledger/journal.ts";
import { ScannedAmounts, type UsedReader } from "../../src/ledger/used-amounts.ts";
import { appliedLimits, type AppliedLimit } from "../../src/quota/limit.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { openValkeyQuota, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import type { Directory } from "../../src/tenant/directory.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, directoryEntry, receipt, reservation } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";
import { recordingLog } from "./valkey-world.ts";

interface OpenJournal {
  readonly journal: Journal;
  readonly used: UsedReader;
  close(): void | Promise<void>;
}

const concurrent = 8;
const quarantineMs = 1_200;
const keys = ["key_1", "key_2"];
const models = ["model-a", "model-b"];

const setting = (name: string, unit: LimitSetting["unit"], window: LimitSetting["window"], more = {}): LimitSetting => ({
  name,
  unit,
  window,
  ceiling: 40_000,
  burst: undefined,
  key: undefined,
  model: undefined,
  ...more,
});
const settings = [
  setting("daily", "tokens", "day"),
  setting("monthly", "micro_usd", "month", { ceiling: 1e9 }),
  setting("asked", "requests", "day", { ceiling: 1e9 }),
  setting("in", "input_tokens", "month", { model: "each", ceiling: 1e9 }),
  setting("out", "output_tokens", "day", { key: "each", ceiling: 1e9 }),
  setting("of-tier", "tokens", "month", { tier: "frontier", ceiling: 1e9 }),
  setting("of-user", "tokens", "day", { endUser: "each", ceiling: 1e9 }),
  setting("slots", "concurrent", "open", { ceiling: concurrent }),
];
const directory: Directory = {
  find: (tenantId) => ({ ...directoryEntry(tenantId, 1), limits: settings }),
  touchKey: () => undefined,
};
const tierOf = (model: string): string => (model === "model-a" ? "frontier" : "standard");

/** A gateway as far as its limits and receipts go. */
class Replica {
  readonly store: ValkeyStore;
  readonly #journal: Journal;
  readonly #name: string;
  #serial = 0;
  admitted = 0;
  unavailable = 0;

  constructor(name: string, store: ValkeyStore, journal: Journal) {
    this.#name = name;
    this.store = store;
    this.#journal = journal;
  }

  /** One request after the other, until the limit by the day is used up or `ends`. */
  async serve(traffic: { ends: boolean }, running: { now: number; most: number }): Promise<void> {
    while (!traffic.ends) {
      const serial = this.#serial++;
      const id = `${this.#name}-${serial}`;
      const keyId = keys[serial % 2] ?? "";
      const model = models[serial % 3 === 0 ? 0 : 1] ?? "";
      const endUser = serial % 5 === 0 ? undefined : `u${serial % 5}`;
      const limits = appliedLimits(settings, { keyId, model, tier: tierOf(model), endUser, timeZone: undefined }, Date.now());
      const who = { keyId, model, endUser, startedAtMs: Date.now() };
      try {
        const outcome = await this.store.quota.reserve(reservation(id, limits, amounts(40, 400)));
        if (!outcome.admitted) {
          await delay(2);
          continue;
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.unavailable += 1;
        await delay(5);
        continue;
      }
      this.admitted += 1;
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      // Some last longer than the summing that follows a loss, or end in the midst of it.
      await delay(serial % 9 === 0 ? quarantineMs + 50 * (serial % 13) : serial % 7);
      running.now -= 1;
      const charge = { ...amounts(serial % 40, serial % 300), requests: 0 };
      await this.#journal.append(
        receipt(id, {
          ...who,
          chargedTokens: charge.tokens,
          chargedInputTokens: charge.inputTokens,
          costMicroUsd: charge.microUsd,
        }),
      );
      await this.store.quota.settle({ id, tenantId: "acme", charge }).catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
      });
    }
  }
}

/** What the journal says of each counter, and what the store does. */
async function compare(store: ValkeyStore, history: JournalHistory): Promise<[said: unknown, counted: unknown]> {
  const wanted = await history.counters("acme", Date.now(), new Set());
  const limits = wanted.map(({ limit }) => limit);
  const slots: AppliedLimit = { setting: settings.at(-1) as LimitSetting, counter: "slots", periods: [] };
  const states = await store.quota.inspect("acme", [...limits, slots]);
  const name = (limit: AppliedLimit): string => `${limit.setting.window}/${limit.counter}`;
  return [
    [...wanted.map(({ limit, used }) => [name(limit), used]), ["open/slots", 0]],
    states.map((state) => [name(state.limit), state.capacity - state.remaining]),
  ];
}

function lossSuite(openJournal: () => Promise<OpenJournal>): void {
  it(
    "are equal to the journal to the last token, and nothing is over, however often it is killed in the midst of traffic",
    { timeout: 60_000 },
    async () => {
      const server = await ValkeyServer.start();
      const opened = await openJournal();
      const { journal } = opened;
      // Much ends between the looking and the telling.
      const slowly: UsedReader = {
        async used(query) {
          const used = await opened.used.used(query);
          await delay(150);
          return used;
        },
      };
      const history = new JournalHistory(directory, slowly, tierOf);
      const open = (): Promise<ValkeyStore> =>
        openValkeyQuota(server.address, recordingLog(), { history, quarantineMs, commandTimeoutMs: 400 });
      const replicas = [new Replica("a", await open(), journal), new Replica("b", await open(), journal)];
      try {
        const traffic = { ends: false };
        const running = { now: 0, most: 0 };
        const serving = Promise.all(
          replicas.flatMap((replica) => Array.from({ length: 12 }, () => replica.serve(traffic, running))),
        );
        const admitted = (): number => replicas.reduce((sum, replica) => sum + replica.admitted, 0);
        for (let loss = 0; loss < 2; loss++) {
          const before = admitted();
          await expect.poll(admitted, { timeout: 15_000 }).toBeGreaterThan(before + 50);
          await server.kill();
          await delay(100);
          await server.resume();
        }
        const before = admitted();
        await expect.poll(admitted, { timeout: 15_000 }).toBeGreaterThan(before + 50);
        traffic.ends = true;
        await serving;

        const store = replicas[0]?.store as ValkeyStore;
        await expect
          .poll(async () => (await compare(store, history)).map((one) => JSON.stringify(one)), { timeout: 5_000 })
          .toSatisfy(([said, counted]) => said === counted);
        const [said, counted] = await compare(store, history);
        expect(counted).toEqual(said);
        expect(running.most).toBeLessThanOrEqual(concurrent);
        for (const replica of replicas) expect(replica.unavailable).toBeGreaterThan(0);
      } finally {
        for (const replica of replicas) replica.store.close();
        await opened.close();
        await server.stop();
      }
    },
  );
}

describeOnValkey("limits that Valkey lost, beside receipts in SQLite", () => {
  lossSuite(() => {
    const folder = temporaryDirectory();
    const stores = openSqliteStores(folder, systemClock);
    const close = (): void => {
      stores.close();
      rmSync(folder, { recursive: true, force: true });
    };
    return Promise.resolve({ journal: stores.journal, used: new ScannedAmounts(stores.reader), close });
  });
});

describeOnPostgres("limits that Valkey lost, beside receipts in PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  describeOnValkey("with Valkey", () => {
    lossSuite(async () => openPostgresStores(await server.createDatabase(), systemClock, recordingLog()));
  });
});
