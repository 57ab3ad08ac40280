import { setTimeout as delay } from "node:timers/promises";
import type { LimitInput } from "../blackbox/harness/operator.ts";
import type { Bound, Drill, DrillOptions } from "./drill.ts";
import { accountColumns, accountOf, accountRow, type Account } from "./harness/account.ts";
import type { Seen } from "./harness/client.ts";
import { drillRequest } from "./harness/drill-request.ts";
import { startSharedStores, type SharedStores } from "./harness/servers.ts";
import { Stage } from "./harness/stage.ts";

const gateways = 2;
const leaseMs = 2_000;
const patienceMs = 15_000;
const everyMs = 12;
/** While a store is away there are so many in all: what goes on being served must not use up the limit. */
const meanwhile = 60;
/** Of requests that end while PostgreSQL is away and Valkey is not. */
const receiptsWaitMs = 500;
/** Before a fault, so that there is something to lose. */
const healthyMs = 1_500;
/** Reached some seconds after the fault, by what was used before and after it together. */
const ceiling = 60_000;
/** When the limit refused so many, its last admissions are past. */
const enoughRefused = 20;
/** The most that is waited for the limit to be reached, and for books to be closed, when the fault is over. */
const afterMs = 9_000;

const limits: readonly LimitInput[] = [
  { name: "concurrent", unit: "concurrent", window: "open", ceiling: 100_000 },
  { name: "tokens-per-day", unit: "tokens", window: "day", ceiling },
];

interface Fault {
  readonly title: string;
  begin(stores: SharedStores): Promise<void> | void;
  end(stores: SharedStores): Promise<void> | void;
}

const faults: readonly Fault[] = [
  {
    title: "Valkey killed, back empty",
    begin: ({ valkey }) => valkey.kill(),
    end: ({ valkey }) => valkey.resume(),
  },
  {
    title: "Valkey paused",
    begin: ({ valkey }) => void process.kill(valkey.pid, "SIGSTOP"),
    end: ({ valkey }) => void process.kill(valkey.pid, "SIGCONT"),
  },
  {
    title: "PostgreSQL killed and back",
    begin: ({ postgres }) => postgres.halt("immediate"),
    end: ({ postgres }) => postgres.resume(),
  },
  {
    title: "PostgreSQL killed, then Valkey, both back and Valkey empty",
    async begin({ postgres, valkey }) {
      await postgres.halt("immediate");
      // So that receipts wait on the gateways' disks, of which no sum knows until they are delivered.
      await delay(receiptsWaitMs);
      await valkey.kill();
    },
    async end({ postgres, valkey }) {
      await valkey.resume();
      await postgres.resume();
    },
  },
];

interface Outcome {
  readonly title: string;
  readonly account: Account;
  readonly awayMs: number;
  /** From the fault's begin until the first request was refused for it, and from its end until the first was served. */
  readonly firstRefusedMs: number | undefined;
  readonly servedAgainMs: number | undefined;
  /** Requests that the limit refused in the end: without one, nothing shows that it still holds. */
  readonly refusedByLimit: number;
  readonly slotsLeft: number;
  readonly countedTokens: number;
}

export const storeLoss: Drill = {
  name: "store-loss",
  summary:
    "Valkey killed and back empty, Valkey paused, PostgreSQL killed and back, both at once: nothing over, nothing lost, and how long each refused",
  needs: ["postgres", "valkey"],
  async run(options) {
    const stores = await startSharedStores(options.children);
    const outcomes: Outcome[] = [];
    try {
      for (const fault of faults) outcomes.push(await play(fault, stores, options));
    } finally {
      await stores.stop();
    }
    return {
      tables: [
        { title: "requests", columns: accountColumns, rows: outcomes.map(({ title, account }) => accountRow(title, account)) },
        {
          title: "the outage, ms",
          columns: ["", "away", "first refused after", "served again after"],
          rows: outcomes.map((one) => [one.title, one.awayMs, one.firstRefusedMs ?? "never", one.servedAgainMs ?? "never"]),
        },
        {
          title: "tokens",
          columns: ["", "limit", "by the receipts", "by the limit", "served whole"],
          rows: outcomes.map(({ title, account, countedTokens }) => [
            title,
            ceiling,
            account.chargedTokens,
            countedTokens,
            account.servedTokens,
          ]),
        },
      ],
      bounds: outcomes.flatMap(boundsOf),
      notes: ["refused: by the limit, which is reached after each fault; 503: for the store that was away"],
    };
  },
};

async function play(fault: Fault, stores: SharedStores, { children, faultMs, say }: DrillOptions): Promise<Outcome> {
  say(fault.title);
  const stage = await Stage.start({
    children,
    gateways,
    stores,
    variables: { STRAIT_LEASE_MS: String(leaseMs) },
    upstream: { events: 5, intervalMs: 30 },
    limits,
    patienceMs,
  });
  const load = new Load(stage);
  await delay(healthyMs);
  const beganMs = performance.now();
  const awayMs = faultMs / faults.length / 2;
  load.pace(awayMs / meanwhile);
  await fault.begin(stores);
  await delay(awayMs);
  await fault.end(stores);
  load.pace(everyMs);
  const endedMs = performance.now();
  await within(afterMs, () => load.refusedSince(endedMs) >= enoughRefused);
  const seen = await load.stop();
  say(`${seen.length} requests`);
  let used = await stage.used();
  await within(afterMs, async () => (used = await stage.used()).get("concurrent") === 0);
  // Receipts that waited for PostgreSQL are delivered by and by.
  await within(afterMs, async () => accountOf(seen, stage.upstream, await stage.books()).lost === 0);
  const refusedAtMs = seen.filter(({ status, endedMs: at }) => status === 503 && at >= beganMs).map((one) => one.endedMs);
  const servedAtMs = seen.filter(({ complete, beganMs: at }) => complete && at >= endedMs).map((one) => one.beganMs);
  return {
    title: fault.title,
    account: accountOf(seen, stage.upstream, await stage.finish()),
    awayMs: Math.round(endedMs - beganMs),
    firstRefusedMs: sinceMs(beganMs, refusedAtMs),
    servedAgainMs: sinceMs(endedMs, servedAtMs),
    refusedByLimit: seen.filter(({ status, beganMs: at }) => status === 429 && at >= endedMs).length,
    slotsLeft: used.get("concurrent") ?? Number.NaN,
    countedTokens: used.get("tokens-per-day") ?? Number.NaN,
  };
}

/** One request after the other at a steady rate, whatever becomes of those before, to each gateway in turn. */
class Load {
  readonly #stage: Stage;
  readonly #calls: Promise<unknown>[] = [];
  readonly #seen: Seen[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.pace(everyMs);
  }

  pace(intervalMs: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#calls.push(this.#call(this.#calls.length)), intervalMs);
  }

  refusedSince(beganMs: number): number {
    return this.#seen.filter((one) => one.status === 429 && one.beganMs >= beganMs).length;
  }

  async stop(): Promise<readonly Seen[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#calls);
    return this.#seen;
  }

  async #call(number: number): Promise<void> {
    this.#seen.push(await this.#stage.client.call(this.#stage.gateway(number).url, drillRequest("loss", number)));
  }
}

async function within(mostMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + mostMs;
  while (!(await isSo()) && performance.now() < untilMs) await delay(100);
}

function sinceMs(beganMs: number, timesMs: readonly number[]): number | undefined {
  return timesMs.length === 0 ? undefined : Math.round(Math.min(...timesMs) - beganMs);
}

function boundsOf({ title, account, refusedByLimit, servedAgainMs, slotsLeft, countedTokens }: Outcome): readonly Bound[] {
  const bound = (what: string, is: number): Bound => ({ title: `${title}: ${what}`, is, atMost: 0 });
  return [
    bound("tokens over the limit, by the receipts", Math.max(0, account.chargedTokens - ceiling)),
    bound("tokens in receipts that the limit does not count", Math.max(0, account.chargedTokens - countedTokens)),
    bound("lost or double receipts", account.lost + account.double),
    bound("whole answers without a true receipt", account.untrue),
    bound("slots still held", slotsLeft),
    bound("never served again, or limit never reached again", servedAgainMs === undefined || refusedByLimit === 0 ? 1 : 0),
  ];
}
