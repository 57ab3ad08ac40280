import type { Children } from "./children.ts";
import type { Generator } from "./load/generator.ts";
import type { Proxy, Running } from "./proxy.ts";
import type { Results } from "./results.ts";
import type { Settings } from "./settings.ts";
import type { StoreSubject } from "./stores/start-stores.ts";

/** One proxy that is up and warm, known to the load generator by its name. */
export interface Subject {
  readonly name: string;
  readonly proxy: Proxy;
  readonly running: Running;
  /** Requests a second that it answered at the end of its warm-up, as fast as it could. */
  readonly capacityPerSecond: number;
}

/** What every measure works with. */
export interface Bench {
  readonly settings: Settings;
  readonly children: Children;
  readonly generator: Generator;
  readonly results: Results;
  readonly upstreamOrigin: string;
  /** What proxies on Node are started with. */
  readonly nodeArguments: readonly string[];
  readonly subjects: readonly Subject[];
  /** The same gateway in other sizes: for the flatness measure alone. */
  readonly sizes: readonly Subject[];
  /** Stores alone, without a gateway: for the stores measure alone. */
  readonly stores: readonly StoreSubject[];
  /** Another checkout, whose figures are to stand beside these. */
  readonly besideDirectory: string | undefined;
}

/** The name under which the load generator knows the upstream itself. */
export const direct = "direct";

/** One measure, called once a round. */
export interface Measure {
  readonly name: string;
  readonly rounds: (settings: Settings) => number;
  run(bench: Bench, round: number): Promise<void>;
}

/** The subjects, beginning with another one each round, so that none always follows the same neighbour. */
export function inTurn<Item>(items: readonly Item[], round: number): readonly Item[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** True where enough requests succeeded to count; otherwise says why not. */
export function sound(
  bench: Bench,
  what: string,
  outcome: { readonly completed: number; readonly failed: number; readonly firstFailure: string | undefined },
): boolean {
  if (outcome.failed === 0 && outcome.completed > 0) return true;
  const rare = outcome.failed * 100 <= outcome.completed;
  bench.results.note(
    `${what}: ${rare ? "a few requests" : "requests"} failed${rare ? "" : ", so it has no figure"}: ${oneLine(outcome.firstFailure)}`,
  );
  return rare;
}

function oneLine(text: string | undefined): string {
  return (text ?? "no reason").replaceAll(/\s+/g, " ").slice(0, 160);
}
