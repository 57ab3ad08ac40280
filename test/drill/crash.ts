import { setTimeout as delay } from "node:timers/promises";
import { randomNumbers } from "../../bench/random-numbers.ts";
import type { LimitInput } from "../blackbox/harness/operator.ts";
import type { Bound, Drill, DrillOptions } from "./drill.ts";
import { accountColumns, accountOf, accountRow, type Account } from "./harness/account.ts";
import type { Seen } from "./harness/client.ts";
import { drillRequest } from "./harness/drill-request.ts";
import { startSharedStores, type SharedStores } from "./harness/servers.ts";
import { Stage } from "./harness/stage.ts";

const leaseMs = 1_500;
/** Requests that are under way at any time; an answer takes half a second. */
const clients = 24;
const patienceMs = 5_000;
const answers = { events: 10, intervalMs: 50 };
/** Between two kills, at random: a gateway is killed as soon as it serves again. */
const leastPauseMs = 600;
const mostPauseMs = 1_400;

const limits: readonly LimitInput[] = [
  { name: "concurrent", unit: "concurrent", window: "open", ceiling: 1_000 },
  { name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 1_000_000_000 },
];

interface Scenario {
  readonly title: string;
  readonly gateways: number;
  /** Of each gateway; above one, single processes are killed instead of gateways. */
  readonly processes: number;
  readonly isShared: boolean;
}

const scenarios: readonly Scenario[] = [
  { title: "SQLite, one process", gateways: 1, processes: 1, isShared: false },
  { title: "SQLite, 2 processes", gateways: 1, processes: 2, isShared: false },
  { title: "Valkey and PostgreSQL, 3 gateways", gateways: 3, processes: 1, isShared: true },
];

interface Outcome {
  readonly title: string;
  readonly account: Account;
  readonly kills: number;
  /** Counted by the limits, when all was over. */
  readonly slotsLeft: number;
  readonly countedTokens: number;
}

export const crash: Drill = {
  name: "crash",
  summary: "kill -9 of gateways in mid-stream, again and again, on SQLite alone and on Valkey with PostgreSQL",
  needs: ["postgres", "valkey"],
  async run(options) {
    const outcomes: Outcome[] = [];
    for (const scenario of scenarios) outcomes.push(await play(scenario, options));
    return {
      tables: [
        { title: "requests", columns: accountColumns, rows: outcomes.map(({ title, account }) => accountRow(title, account)) },
        {
          title: "after the leases",
          columns: ["", "kills", "slots still held", "tokens by the limit", "by the receipts", "served whole"],
          rows: outcomes.map(({ title, kills, slotsLeft, countedTokens, account }) => [
            title,
            kills,
            slotsLeft,
            countedTokens,
            account.chargedTokens,
            account.servedTokens,
          ]),
        },
      ],
      bounds: outcomes.flatMap(boundsOf),
      notes: [
        "receipts may be more than the upstream saw: a gateway that dies between reserving and sending leaves an unsettled one",
        "the limit may count more than the receipts where those of a dead gateway came after the sweep: the hold stands",
      ],
    };
  },
};

async function play(scenario: Scenario, options: DrillOptions): Promise<Outcome> {
  options.say(scenario.title);
  const stores = scenario.isShared ? await startSharedStores(options.children) : undefined;
  try {
    return await killing(scenario, options, stores);
  } finally {
    await stores?.stop();
  }
}

async function killing(
  { title, gateways, processes }: Scenario,
  { children, faultMs, say }: DrillOptions,
  stores: SharedStores | undefined,
): Promise<Outcome> {
  const stage = await Stage.start({
    children,
    gateways,
    ...(stores === undefined ? {} : { stores }),
    variables: { STRAIT_LEASE_MS: String(leaseMs), STRAIT_PROCESSES: String(processes) },
    upstream: answers,
    limits,
    patienceMs,
  });
  const seen: Seen[] = [];
  const untilMs = performance.now() + faultMs / scenarios.length;
  let number = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      number += 1;
      const one = await stage.client.call(stage.gateway(number).url, drillRequest("crash", number));
      seen.push(one);
      // A gateway that is starting again must not be asked in a tight loop.
      if (one.status === undefined) await delay(50);
    }
  };
  const working = Promise.all(Array.from({ length: clients }, client));
  const random = randomNumbers(9);
  let kills = 0;
  while (performance.now() < untilMs) {
    await delay(leastPauseMs + random() * (mostPauseMs - leastPauseMs));
    const victim = stage.gateway(Math.floor(random() * gateways));
    if (processes === 1) await victim.killAndRestart();
    else if (!victim.killOneProcess(processes, (count) => Math.floor(random() * count))) continue;
    kills += 1;
  }
  await working;
  const used = await afterLeases(stage);
  say(`${kills} kills, ${seen.length} requests`);
  const account = accountOf(seen, stage.upstream, await stage.finish());
  return {
    title,
    account,
    kills,
    slotsLeft: used.get("concurrent") ?? Number.NaN,
    countedTokens: used.get("tokens-per-day") ?? Number.NaN,
  };
}

/** A lease, and a sweep, which comes three times a lease; and what a busy machine takes on top. */
async function afterLeases(stage: Stage): Promise<ReadonlyMap<string, number>> {
  await delay(leaseMs);
  const untilMs = performance.now() + 2 * leaseMs;
  for (;;) {
    const used = await stage.used();
    if (used.get("concurrent") === 0 || performance.now() > untilMs) return used;
    await delay(100);
  }
}

function boundsOf({ title, account, slotsLeft, countedTokens, kills }: Outcome): readonly Bound[] {
  const bound = (what: string, is: number): Bound => ({ title: `${title}: ${what}`, is, atMost: 0 });
  return [
    bound("reached the upstream without a receipt", account.lost),
    bound("double receipts", account.double),
    bound("slots leaked after the lease", slotsLeft),
    bound("whole answers without a true receipt", account.untrue),
    bound("tokens in receipts that the limit does not count", Math.max(0, account.chargedTokens - countedTokens)),
    bound("scenarios in which no answer was cut", kills > 0 && account.broken > 0 ? 0 : 1),
  ];
}
