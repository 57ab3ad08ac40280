import type { Books } from "./books.ts";
import type { Seen } from "./client.ts";
import { usageOf, type DrillRequest } from "./drill-request.ts";
import type { RecordingUpstream } from "./recording-upstream.ts";

/** What clients, upstream and journal each say, side by side. */
export interface Account {
  readonly sent: number;
  /** Answered whole, refused by a limit, refused for a store that is away, and cut or never answered. */
  readonly answered: number;
  readonly refused: number;
  readonly unavailable: number;
  readonly broken: number;
  /** Of those: without a sign of life for all of the client's patience. */
  readonly hung: number;
  /** Requests that the upstream saw. */
  readonly reached: number;
  readonly receipts: number;
  readonly unsettled: number;
  /** Requests that the upstream saw and no receipt tells of. */
  readonly lost: number;
  /** Requests with more than one receipt. */
  readonly double: number;
  /** Whole answers whose receipt does not say that they ended, or not what they used. */
  readonly untrue: number;
  /** Of the answers that the upstream wrote to the end. */
  readonly servedTokens: number;
  /** The sum of all receipts. */
  readonly chargedTokens: number;
}

export function accountOf(seen: readonly Seen[], { served }: RecordingUpstream, books: Books): Account {
  const reached = [...served.values()];
  const count = <Item>(items: readonly Item[], is: (item: Item) => boolean): number => items.filter(is).length;
  return {
    sent: seen.length,
    answered: count(seen, ({ complete }) => complete),
    refused: count(seen, ({ status }) => status === 429),
    unavailable: count(seen, ({ status }) => status === 503),
    broken: count(seen, ({ status, complete }) => !complete && (status === undefined || status === 200)),
    hung: count(seen, ({ hung }) => hung),
    reached: reached.length,
    receipts: books.receipts.length,
    unsettled: count(books.receipts, ({ end }) => end === "unsettled"),
    lost: count(reached, ({ request }) => books.of(request.marker).length === 0),
    double: count(seen, ({ request }) => books.of(request.marker).length > 1),
    untrue: count(seen, ({ request, complete }) => complete && !isTrue(request, books)),
    servedTokens: reached.reduce((sum, one) => sum + (one.completed ? totalOf(one.request) : 0), 0),
    chargedTokens: books.receipts.reduce((sum, receipt) => sum + receipt.chargedTokens, 0),
  };
}

function isTrue(request: DrillRequest, books: Books): boolean {
  const [receipt] = books.of(request.marker);
  return receipt?.end === "completed" && receipt.chargedTokens === totalOf(request);
}

function totalOf(request: DrillRequest): number {
  const { promptTokens, outputTokens } = usageOf(request);
  return promptTokens + outputTokens;
}

/** The columns of the table in which accounts stand under each other. */
export const accountColumns: readonly string[] = [
  "",
  "sent",
  "answered",
  "refused",
  "503",
  "broken",
  "hung",
  "upstream saw",
  "receipts",
  "unsettled",
  "lost",
  "double",
  "untrue",
];

export function accountRow(title: string, account: Account): readonly (string | number)[] {
  const { sent, answered, refused, unavailable, broken, hung, reached, receipts, unsettled, lost, double, untrue } = account;
  return [title, sent, answered, refused, unavailable, broken, hung, reached, receipts, unsettled, lost, double, untrue];
}
