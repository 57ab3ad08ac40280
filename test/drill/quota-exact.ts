import { setTimeout as delay } from "node:timers/promises";
import type { LimitInput } from "../blackbox/harness/operator.ts";
import type { Bound, Drill, DrillOptions } from "./drill.ts";
import { accountColumns, accountOf, accountRow, type Account } from "./harness/account.ts";
import type { Books } from "./harness/books.ts";
import type { Seen } from "./harness/client.ts";
import { drillRequest } from "./harness/drill-request.ts";
import { startSharedStores, type SharedStores } from "./harness/servers.ts";
import { Stage } from "./harness/stage.ts";

const gateways = 4;
const atOnce = 2_000;
/** Of the second wave, so that what is in flight is little beside the limit. */
const clients = 100;
const leaseMs = 5_000;
const patienceMs = 40_000;
/** About half of what the first wave asks for. */
const ceiling = 550_000;

const limits: readonly LimitInput[] = [
  { name: "concurrent", unit: "concurrent", window: "open", ceiling: 100_000 },
  { name: "tokens-per-day", unit: "tokens", window: "day", ceiling },
];

interface Round {
  readonly account: Account;
  /** Held for all of the first wave that was admitted, while none of it was answered. */
  readonly firstHeld: number;
  /** Room that was left then although a request that would have fitted was refused. */
  readonly firstWasted: number;
  /** What those were held at whose gateway got no answer in time: it is given back later, so that others were refused for it. */
  readonly firstUnanswered: number;
  /** The most that the second wave held at one time, as its clients saw it. */
  readonly secondPeak: number;
  readonly slotsLeft: number;
  readonly countedTokens: number;
}

export const quotaExact: Drill = {
  name: "quota-exact",
  summary: "4 gateways on one Valkey and PostgreSQL, 2,000 requests of one tenant at once: not one token over the limit",
  needs: ["postgres", "valkey"],
  async run(options) {
    const stores = await startSharedStores(options.children);
    const rounds: Round[] = [];
    try {
      const beganMs = performance.now();
      let lastMs = 0;
      do {
        const roundBeganMs = performance.now();
        rounds.push(await play(stores, options));
        lastMs = performance.now() - roundBeganMs;
      } while (performance.now() + lastMs < beganMs + options.faultMs);
    } finally {
      await stores.stop();
    }
    return {
      tables: [
        {
          title: "requests",
          columns: accountColumns,
          rows: rounds.map(({ account }, index) => accountRow(`round ${index + 1}`, account)),
        },
        {
          title: "tokens",
          columns: ["", "limit", "held at once", "peak held later", "served", "by the receipts", "by the limit", "left unused"],
          rows: rounds.map((round, index) => [
            `round ${index + 1}`,
            ceiling,
            round.firstHeld,
            round.secondPeak,
            round.account.servedTokens,
            round.account.chargedTokens,
            round.countedTokens,
            ceiling - round.countedTokens,
          ]),
        },
      ],
      bounds: rounds.flatMap((round, index) => boundsOf(`round ${index + 1}`, round)),
      notes: [`${atOnce} requests at once while no answer comes, then ${atOnce} by ${clients} clients; every other one streams`],
    };
  },
};

async function play(stores: SharedStores, { children, say }: DrillOptions): Promise<Round> {
  const stage = await Stage.start({
    children,
    gateways,
    stores,
    variables: { STRAIT_LEASE_MS: String(leaseMs) },
    upstream: { events: 5, intervalMs: 20 },
    limits,
    patienceMs,
  });
  const first = await allAtOnce(stage);
  say(`${first.length} at once`);
  const second = await oneAfterAnother(stage);
  say(`${second.length} more by ${clients} clients`);
  const used = await settled(stage);
  const books = await stage.finish();
  const holdOf = holdsBy(books, [...first, ...second].filter(wasAdmitted));
  const firstHeld = sum(first.filter(wasAdmitted), holdOf);
  const smallestRefused = Math.min(...first.filter(({ status }) => status === 429).map(holdOf));
  return {
    account: accountOf([...first, ...second], stage.upstream, books),
    firstHeld,
    firstWasted: Math.max(0, ceiling - firstHeld - (smallestRefused - 1)),
    firstUnanswered: sum(
      first.filter(({ status }) => status === 503),
      holdOf,
    ),
    secondPeak: peakOf(second.filter(wasAdmitted), holdOf),
    slotsLeft: used.get("concurrent") ?? Number.NaN,
    countedTokens: used.get("tokens-per-day") ?? Number.NaN,
  };
}

/** No answer comes before every request was decided, so that nothing that was held comes back in between. */
async function allAtOnce(stage: Stage): Promise<readonly Seen[]> {
  const openGate = stage.upstream.closeGate();
  let refused = 0;
  const calls = Array.from({ length: atOnce }, async (_, number) => {
    const seen = await stage.client.call(stage.gateway(number).url, drillRequest("drill", number));
    if (seen.status !== 200) refused += 1;
    return seen;
  });
  const untilMs = performance.now() + patienceMs / 2;
  while (refused + stage.upstream.open < atOnce && performance.now() < untilMs) await delay(20);
  openGate();
  return Promise.all(calls);
}

async function oneAfterAnother(stage: Stage): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  let number = 0;
  const client = async (): Promise<void> => {
    while (number < atOnce) {
      number += 1;
      seen.push(await stage.client.call(stage.gateway(number).url, drillRequest("drill", atOnce + number)));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return seen;
}

/** Once no slot is held; a hold whose gateway was not told of it goes with its lease. */
async function settled(stage: Stage): Promise<ReadonlyMap<string, number>> {
  const untilMs = performance.now() + 2 * leaseMs;
  for (;;) {
    const used = await stage.used();
    if (used.get("concurrent") === 0 || performance.now() > untilMs) return used;
    await delay(100);
  }
}

function wasAdmitted({ status }: Seen): boolean {
  return status === 200;
}

/**
 * What a request was held at or, where it was refused, would have been: beside the client's own ceiling the same for all,
 * save that `true` is a byte shorter than `false`.
 */
function holdsBy(books: Books, admitted: readonly Seen[]): (one: Seen) => number {
  const beside = [true, false].map((stream) => {
    const example = admitted.find(({ request }) => request.stream === stream && books.of(request.marker).length > 0);
    const [receipt] = example === undefined ? [] : books.of(example.request.marker);
    // Without one there is no telling, and no bound that needs it holds.
    return example === undefined || receipt === undefined ? Number.NaN : receipt.heldTokens - example.request.maxOutputTokens;
  });
  return ({ request }) => (beside[request.stream ? 0 : 1] ?? Number.NaN) + request.maxOutputTokens;
}

function peakOf(seen: readonly Seen[], holdOf: (one: Seen) => number): number {
  const changes = seen.flatMap((one) => [
    { atMs: one.beganMs, by: holdOf(one) },
    { atMs: one.endedMs, by: -holdOf(one) },
  ]);
  let held = 0;
  let peak = 0;
  for (const { by } of changes.toSorted((one, other) => one.atMs - other.atMs)) {
    held += by;
    peak = Math.max(peak, held);
  }
  return peak;
}

function boundsOf(title: string, round: Round): readonly Bound[] {
  const { account, countedTokens } = round;
  const bound = (what: string, is: number, atMost = 0): Bound => ({ title: `${title}: ${what}`, is, atMost });
  return [
    bound("tokens held over the limit", Math.max(0, round.firstHeld - ceiling)),
    bound("tokens used over the limit", Math.max(0, countedTokens - ceiling)),
    bound("room left for a request that was refused, at most what was held beside", round.firstWasted, round.firstUnanswered),
    bound("left unused, at most what was in flight", ceiling - countedTokens, round.secondPeak),
    bound("receipts and what was served differ by", Math.abs(account.chargedTokens - account.servedTokens)),
    bound("receipts and the limit differ by", Math.abs(account.chargedTokens - countedTokens)),
    bound("slots still held", round.slotsLeft),
    bound("lost, double or untrue receipts", account.lost + account.double + account.untrue),
  ];
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
