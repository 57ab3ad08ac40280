import type { Catalogue } from "../region/catalogue.ts";
import { csvRow } from "./csv.ts";
import { focusColumns, type FocusCharge } from "./focus-columns.ts";
import { positionOf, showCursor, type JournalReader, type Position, type ScanQuery } from "./journal-reader.ts";
import type { Receipt, RefusalReceipt } from "./receipt.ts";

export const exportFormats = ["focus", "jsonl"] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const exportContentType: Readonly<Record<ExportFormat, string>> = {
  focus: "text/csv; charset=utf-8; header=present",
  jsonl: "application/x-ndjson",
};

/** Receipts of what was admitted; or the records of what was refused before anything was held, as JSON Lines alone. */
export const exportKinds = ["receipts", "refusals"] as const;
export type ExportKind = (typeof exportKinds)[number];

export interface ExportAsked {
  readonly kind: ExportKind;
  readonly format: ExportFormat;
  readonly tenantId: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  readonly after: Position | undefined;
  /** Ends before the first receipt that others may still come to stand before. */
  readonly settledOnly: boolean;
  /** Whether a CSV begins with its columns' names; not where it continues another. */
  readonly header: boolean;
  readonly issuer: string;
}

export interface ExportPorts {
  readonly reader: JournalReader;
  readonly catalogue: Catalogue;
  readonly tenantName: (tenantId: string) => Promise<string | undefined>;
}

/** So many receipts are in memory at a time, about half a megabyte of text. */
const pageSize = 250;

/**
 * Receipts of a period as text, read page by page as fast as the client takes them. Each line carries the cursor that an
 * export resumes after, save those that receipts of requests in flight may still come to stand before: a cursor that is
 * there never loses a receipt and never brings one twice. Breaks off where the journal fails, so that nobody takes a part
 * for the whole. Rejects where it fails at once.
 */
export async function exportReceipts(asked: ExportAsked, ports: ExportPorts): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder();
  const pages = readPages(asked, ports);
  let next: IteratorResult<string, void> | undefined = await pages.next();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const page = next ?? (await pages.next());
        next = undefined;
        if (page.done === true) controller.close();
        else controller.enqueue(encoder.encode(page.value));
      },
      async cancel() {
        await pages.return();
      },
    },
    // Without this, one page is always read before anybody wants it.
    { highWaterMark: 0 },
  );
}

async function* readPages(asked: ExportAsked, ports: ExportPorts): AsyncGenerator<string, void> {
  const { kind, format, settledOnly } = asked;
  // Told before the first page is read: what it vouches for is then in every page.
  const completeMs = await ports.reader.completeUntilMs();
  const toMs = settledOnly ? Math.min(asked.toMs, completeMs) : asked.toMs;
  const names = new Names(ports);
  if (format === "focus" && asked.header) yield csvRow(focusColumns.map(({ name }) => name));
  if (kind === "refusals") {
    const scan = async (query: ScanQuery): Promise<readonly RefusalReceipt[]> => (await ports.reader.scanRefusals(query)) ?? [];
    yield* readLines({ ...asked, toMs }, scan, (refusal) => jsonLine(refusal, refusal.startedAtMs < completeMs));
    return;
  }
  yield* readLines(
    { ...asked, toMs },
    (query) => ports.reader.scan(query),
    async (receipt) => {
      const resumable = receipt.startedAtMs < completeMs;
      return format === "jsonl" ? jsonLine(receipt, resumable) : focusLine(await names.charge(receipt, asked.issuer, resumable));
    },
  );
}

async function* readLines<Row extends Position>(
  asked: Omit<ScanQuery, "count">,
  scan: (query: ScanQuery) => Promise<readonly Row[]>,
  line: (row: Row) => string | Promise<string>,
): AsyncGenerator<string, void> {
  const { tenantId, fromMs, toMs } = asked;
  let { after } = asked;
  for (;;) {
    const rows = await scan({ tenantId, fromMs, toMs, after, count: pageSize });
    const last = rows.at(-1);
    if (last === undefined) return;
    let text = "";
    for (const row of rows) text += await line(row);
    yield text;
    if (rows.length < pageSize) return;
    after = positionOf(last);
  }
}

/** The receipt as the journal has it. A count that is not there is unknown. */
function jsonLine(receipt: Receipt | RefusalReceipt, resumable: boolean): string {
  return `${JSON.stringify({ cursor: resumable ? showCursor(positionOf(receipt)) : null, ...receipt })}\n`;
}

function focusLine(charge: FocusCharge): string {
  return csvRow(focusColumns.map((column) => column.of(charge)));
}

/** Far above what one export mostly meets; past it, names are asked for anew. */
const keptNames = 10_000;

/** What receipts name by id, as people call it. */
class Names {
  readonly #ports: ExportPorts;
  readonly #tenants = new Map<string, string | undefined>();

  constructor(ports: ExportPorts) {
    this.#ports = ports;
  }

  async charge(receipt: Receipt, issuer: string, resumable: boolean): Promise<FocusCharge> {
    const { catalogue } = this.#ports;
    const regionName = receipt.region === undefined ? undefined : catalogue.regions.get(receipt.region)?.displayName;
    const maker = catalogue.models.get(receipt.model)?.maker;
    return { receipt, tenantName: await this.#tenant(receipt.tenantId), regionName, maker, issuer, resumable };
  }

  async #tenant(tenantId: string): Promise<string | undefined> {
    if (this.#tenants.has(tenantId)) return this.#tenants.get(tenantId);
    if (this.#tenants.size >= keptNames) this.#tenants.clear();
    const name = await this.#ports.tenantName(tenantId);
    this.#tenants.set(tenantId, name);
    return name;
  }
}
