import { createReadStream } from "node:fs";
import type { Input, Option } from "./command.ts";
import { csvRows } from "./csv-rows.ts";
import { usageFailure } from "./failure.ts";
import type { ProviderRow } from "./provider-books.ts";

export const providerOptions: readonly Option[] = [
  {
    name: "id-column",
    value: "NAME",
    help: "the provider's own id of a request, which our receipts keep; rows without one are compared by day and deployment",
  },
  { name: "date-column", value: "NAME", help: "when it was used: a day, or a time in RFC 3339" },
  { name: "deployment-column", value: "NAME", help: "on which deployment" },
  { name: "deployment", value: "THEIRS=OURS", help: "what our receipts call a deployment of theirs", multiple: true },
  { name: "input-column", value: "NAME", help: "input tokens; several add up", multiple: true },
  { name: "output-column", value: "NAME", help: "output tokens; several add up", multiple: true },
  { name: "cost-column", value: "NAME", help: "cost in USD; several add up", multiple: true },
  { name: "delimiter", value: "CHARACTER", help: "what parts the columns (default: a comma; `tab` is one)" },
];

/** Which columns a provider's file has for what. */
export interface ProviderColumns {
  readonly id: string | undefined;
  readonly date: string | undefined;
  readonly deployment: string | undefined;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly cost: readonly string[];
  readonly delimiter: string;
  readonly deployments: ReadonlyMap<string, string>;
}

export function readColumns(input: Input): ProviderColumns {
  const id = input.option("id-column");
  const date = input.option("date-column");
  const deployment = input.option("deployment-column");
  const columns = {
    input: input.options("input-column"),
    output: input.options("output-column"),
    cost: input.options("cost-column"),
  };
  if (id === undefined && (date === undefined || deployment === undefined)) {
    throw usageFailure("Say what to match by: --id-column, or --date-column with --deployment-column, or all of them.");
  }
  if (Object.values(columns).every(({ length }) => length === 0))
    throw usageFailure("Say what to compare: --input-column, --output-column or --cost-column.");
  const delimiter = input.option("delimiter") ?? ",";
  const named = delimiter === "tab" ? "\t" : delimiter;
  if (named.length !== 1 || named === '"') throw usageFailure("--delimiter takes one character, or `tab`.");
  const deployments = new Map(input.options("deployment").map(pair));
  return { id, date, deployment, ...columns, delimiter: named, deployments };
}

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1) throw usageFailure(`--deployment takes THEIRS=OURS; not "${text}".`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The rows of a provider's file, read as it comes; `-` is standard input. */
export async function* providerRows(path: string, columns: ProviderColumns): AsyncGenerator<ProviderRow, void> {
  const rows = csvRows(textOf(path), columns.delimiter);
  const head = await rows.next();
  if (head.done === true) throw usageFailure(`${path} is empty.`);
  const names = head.value.cells.map((name) => name.trim());
  const place = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw usageFailure(`${path} has no column "${name}"; it has ${names.join(", ")}.`);
    return index;
  };
  const maybe = (name: string | undefined): number | undefined => (name === undefined ? undefined : place(name));
  const [id, date, deployment] = [maybe(columns.id), maybe(columns.date), maybe(columns.deployment)];
  const [input, output, cost] = [columns.input.map(place), columns.output.map(place), columns.cost.map(place)];

  for await (const { line, cells } of rows) {
    const cell = (index: number | undefined): string => (index === undefined ? "" : (cells[index] ?? "").trim());
    const wrong = (index: number, expected: string): Error =>
      usageFailure(`${path}, line ${line}, column "${names[index] ?? ""}": "${cell(index)}" is not ${expected}.`);
    const sum = (indexes: readonly number[], decimals: number, expected: string): bigint => {
      let total = 0n;
      for (const index of indexes) {
        const value = scaled(cell(index), decimals);
        if (value === undefined) throw wrong(index, expected);
        total += value;
      }
      return total;
    };
    const day = date === undefined ? "" : dayOf(cell(date));
    if (day === undefined) throw wrong(date ?? 0, "a day such as 2026-11-01 or a time such as 2026-11-01T08:00:00Z");
    const rowId = cell(id);
    if (rowId === "" && (date === undefined || deployment === undefined)) {
      throw usageFailure(`${path}, line ${line} has no id: name --date-column and --deployment-column to compare such rows by.`);
    }
    yield {
      id: rowId,
      day,
      deployment: columns.deployments.get(cell(deployment)) ?? cell(deployment),
      input: sum(input, 0, "a whole number"),
      output: sum(output, 0, "a whole number"),
      nanoUsd: sum(cost, 9, "an amount in USD such as 0.0125"),
    };
  }
}

async function* textOf(path: string): AsyncGenerator<string, void> {
  const stream = path === "-" ? process.stdin : createReadStream(path);
  stream.setEncoding("utf8");
  try {
    for await (const piece of stream) yield String(piece);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw usageFailure(`${path} cannot be read (${String(error.code)}).`);
  }
}

/** The day in UTC; `undefined` where this is no date. */
function dayOf(text: string): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|UTC|[+-]\d{2}:?\d{2})?)?$/.test(text)) return undefined;
  // A time without an offset would be read as this machine's own.
  const bare = /\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text) && !/[+-]\d{2}:?\d{2}$/.test(text.slice(10));
  const timeMs = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : bare ? `${text.replace(" ", "T")}Z` : text);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString().slice(0, 10);
}

/**
 * A decimal number, as an integer of its last decimal; what is finer is rounded up. Digit by digit, and with the exponent
 * that programs write small amounts with. Nothing at all is zero.
 */
export function scaled(text: string, decimals: number): bigint | undefined {
  if (text === "") return 0n;
  const match = /^(-?)\$?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match ?? [];
  if (match === null || whole + fraction === "") return undefined;
  const digits = BigInt(whole + fraction);
  const shift = decimals - fraction.length + Number(exponent);
  const size = 10n ** BigInt(Math.abs(shift));
  const value = shift >= 0 ? digits * size : (digits + size - 1n) / size;
  // Beyond this SQLite would have to take it for a float.
  if (value > 9_000_000_000_000_000_000n) return undefined;
  // A count is whole or it is no count.
  if (decimals === 0 && shift < 0 && digits % size !== 0n) return undefined;
  return sign === "-" ? -value : value;
}
