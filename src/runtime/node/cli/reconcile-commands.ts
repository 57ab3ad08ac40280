import type { CounterReportDocument } from "../../../control/usage-schemas.ts";
import type { Receipt } from "../../../ledger/receipt.ts";
import type { Command, Session } from "./command.ts";
import { required } from "./command.ts";
import type { ControlClient } from "./control-client.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import type { Difference, Side } from "./provider-books.ts";
import { providerOptions, providerRows, readColumns } from "./provider-file.ts";
import { table } from "./table.ts";
import { showMicroUsd, wholeNumber } from "./values.ts";

const counters: Command = {
  path: ["reconcile", "counters"],
  summary: "compare a tenant's counters by the day and month with the journal",
  arguments: [],
  options: [{ name: "tenant", value: "TENANT", help: "whose" }],
  notes:
    "equal: the counter is the sum of receipts and of what is in flight. boundary: it has some of what began right before the period.\n" +
    "moving: it changed while it was looked at; ask again. differs: none of these, and the exit code is 1. A limit set within the period differs rightly.",
  async run(input, session) {
    const tenant = input.option("tenant");
    if (tenant === undefined) throw usageFailure("Name the tenant: --tenant TENANT.");
    const { document } = await session
      .client()
      .send<CounterReportDocument>({ method: "GET", path: `/tenants/${encodeURIComponent(tenant)}/reconciliation` });
    const different = document.counters.filter(({ verdict }) => verdict === "differs").length;
    if (session.json) session.print(JSON.stringify(document, undefined, 2));
    else {
      const rows = document.counters.map(({ counter, unit, window, since, verdict, ...amounts }) => {
        const show = (value: number): string => (unit === "micro_usd" ? signed(value) : String(value));
        const { counted, journal, inFlight, difference } = amounts;
        return [counter, unit, window, since, show(counted), show(journal), show(inFlight), show(difference), verdict];
      });
      session.print(
        table(["COUNTER", "UNIT", "WINDOW", "SINCE", "COUNTED", "JOURNAL", "IN FLIGHT", "DIFFERENCE", "VERDICT"], rows),
      );
      for (const { limit, reason } of document.left) session.remark(`${limit} was left out: ${reason}.`);
    }
    if (different > 0) throw new Failure(exitCodes.failed, `${different} of ${document.counters.length} counters differ.`);
  },
};

const provider: Command = {
  path: ["reconcile", "provider"],
  summary: "compare receipts with a provider's usage export, request by request",
  arguments: [{ name: "FILE", help: "the provider's CSV file (`-`: standard input)" }],
  options: [
    { name: "from", value: "DAY", help: "the first day, in UTC" },
    { name: "to", value: "DAY", help: "the day after the last one" },
    { name: "tenant", value: "TENANT", help: "only this tenant's receipts" },
    ...providerOptions,
    { name: "tolerance", value: "MICRO_USD", help: "by how much a request's cost may differ (default: 1, for rounding)" },
    { name: "most", value: "N", help: "how many differences to list (default: 1000)" },
  ],
  notes:
    "differs: both have the request, with other counts. no_receipt: only the provider has it. not_billed: only we do. day_differs: the sums of a day and\n" +
    "deployment, over rows without an id and receipts that no row names. The exit code is 1 where anything differs.",
  async run(input, session) {
    const path = required(input, "FILE");
    const columns = readColumns(input);
    const [fromMs, toMs] = [day(input.option("from"), "from"), day(input.option("to"), "to")];
    if (fromMs >= toMs) throw usageFailure("--to is the day after the last one, so it comes after --from.");
    const most = wholeNumber(input.option("most") ?? "1000", "most");
    const tolerance = wholeNumber(input.option("tolerance") ?? "1", "tolerance");
    const client = session.client();
    // Loaded here alone: no other command needs a database.
    const { ProviderBooks } = await import("./provider-books.ts");
    const books = new ProviderBooks();
    try {
      let [rows, outside, receipts] = [0, 0, 0];
      for await (const row of providerRows(path, columns)) {
        const isInside = row.day === "" || (Date.parse(row.day) >= fromMs && Date.parse(row.day) < toMs);
        if (isInside) books.addRow(row);
        if (isInside) rows += 1;
        else outside += 1;
      }
      for await (const receipt of receiptsOf(client, fromMs - marginMs, toMs + marginMs, input.option("tenant"))) {
        const isInside = receipt.startedAtMs >= fromMs && receipt.startedAtMs < toMs;
        books.addReceipt(receipt, isInside);
        if (isInside) receipts += 1;
      }
      const compared = {
        input: columns.input.length > 0,
        output: columns.output.length > 0,
        cost: columns.cost.length > 0,
        tolerance,
      };
      const { listed, count } = take(books.differences(compared), most);
      report(session, listed, { rows, outside, receipts, differences: count });
      if (count > 0)
        throw new Failure(
          exitCodes.failed,
          `${count} differences.${count > listed.length ? ` The first ${listed.length} are listed; --most lists more.` : ""}`,
        );
    } finally {
      books.close();
    }
  },
};

export const reconcileCommands: readonly Command[] = [counters, provider];

/** A provider dates a request by its own clock, mostly by its end: receipts so near the period's ends are asked for as well. */
const marginMs = 3_600_000;

interface Counts {
  readonly rows: number;
  readonly outside: number;
  readonly receipts: number;
  readonly differences: number;
}

function report(session: Session, differences: readonly Difference[], counts: Counts): void {
  if (session.json) return session.print(JSON.stringify({ ...counts, listed: differences }, undefined, 2));
  if (differences.length > 0) {
    const rows = differences.map(({ kind, upstreamRequestId, requestId, day: on, deployment, receipt, provider: theirs }) => [
      kind,
      on,
      deployment,
      requestId,
      upstreamRequestId,
      side(receipt),
      side(theirs),
    ]);
    session.print(
      table(
        ["DIFFERENCE", "DAY", "DEPLOYMENT", "REQUEST", "UPSTREAM ID", "RECEIPT (IN/OUT/COST)", "PROVIDER (IN/OUT/COST)"],
        rows,
      ),
    );
  }
  const outside = counts.outside === 0 ? "" : `; ${counts.outside} rows of other days were passed over`;
  session.remark(`${counts.rows} rows of the provider's beside ${counts.receipts} receipts${outside}.`);
}

function take(
  differences: Iterable<Difference>,
  most: number,
): { readonly listed: readonly Difference[]; readonly count: number } {
  const listed: Difference[] = [];
  let count = 0;
  for (const difference of differences) {
    count += 1;
    if (listed.length < most) listed.push(difference);
  }
  return { listed, count };
}

async function* receiptsOf(
  client: ControlClient,
  fromMs: number,
  toMs: number,
  tenant: string | undefined,
): AsyncGenerator<Receipt, void> {
  const query = new URLSearchParams({ format: "jsonl", from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() });
  if (tenant !== undefined) query.set("tenant", tenant);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of client.stream(`/usage/export?${query.toString()}`)) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Receipt;
  }
}

function day(text: string | undefined, option: string): number {
  const timeMs = text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw usageFailure(`--${option} takes a day, such as 2026-11-01.`);
  return timeMs;
}

function side(amounts: Side | null): string | null {
  return amounts === null ? null : `${amounts.input ?? "?"}/${amounts.output ?? "?"}/${signed(amounts.costMicroUsd)}`;
}

function signed(microUsd: number): string {
  return microUsd < 0 ? `-${showMicroUsd(-microUsd)}` : showMicroUsd(microUsd);
}
