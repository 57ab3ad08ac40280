import type { Command } from "./command.ts";
import { Failure, usageFailure } from "./failure.ts";
import { periodOptions, periodQuery } from "./usage-command.ts";

export const exportCommand: Command = {
  path: ["export"],
  summary: "write receipts to standard output, as FOCUS 1.2 (CSV) or JSON Lines",
  arguments: [],
  options: [
    { name: "format", value: "focus|jsonl", help: "what to write" },
    {
      name: "kind",
      value: "receipts|refusals",
      help: "refusals: what was refused before anything was held, as jsonl (default: receipts)",
    },
    ...periodOptions,
    { name: "tenant", value: "TENANT", help: "only this tenant" },
    { name: "after", value: "CURSOR", help: "go on after the line that carries this cursor" },
    { name: "settled", help: "end where receipts of requests in flight may still come in between, some ten minutes ago" },
    { name: "no-header", help: "without the CSV's first line, where it continues another file" },
    { name: "issuer", value: "NAME", help: "who bills, for FOCUS (default: Strait)" },
  ],
  notes:
    "The cursor stands in each line: `x_cursor` in FOCUS, `cursor` in JSON Lines. Lines of the last minutes have none: drop them before going on with\n" +
    "--after, or export with --settled, and every receipt comes once. A line whose end is `unsettled` may be replaced for a day.",
  async run(input, session) {
    const format = input.option("format");
    if (format !== "focus" && format !== "jsonl") throw usageFailure("Name the format: --format focus or --format jsonl.");
    const query = periodQuery(input);
    query.set("format", format);
    for (const name of ["kind", "tenant", "after", "issuer"]) {
      const value = input.option(name);
      if (value !== undefined) query.set(name, value);
    }
    if (input.isOn("settled")) query.set("settled", "true");
    if (input.isOn("no-header")) query.set("header", "false");
    const cursor = new LastCursor();
    try {
      for await (const piece of session.client().stream(`/usage/export?${query.toString()}`)) {
        cursor.take(piece);
        await session.write(piece);
      }
    } catch (error) {
      if (!(error instanceof Failure) || cursor.value === undefined) throw error;
      throw new Failure(
        error.exitCode,
        `${error.message} Drop what follows the line with the cursor ${cursor.value}, and go on with --after ${cursor.value}.`,
      );
    }
    if (cursor.value !== undefined) session.remark(`The last cursor is ${cursor.value}.`);
  },
};

/** Longer than any line: so much is kept of what was written. */
const keptBytes = 64 * 1024;

/** Finds the last cursor in what passes, without reading the lines: most of them nobody asks about. */
class LastCursor {
  #tail = "";
  #found: string | undefined;

  take(piece: Uint8Array): void {
    // One character a byte: cursors are ASCII, and a character cut in two disturbs none of them.
    this.#tail += Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    this.#found = lastIn(this.#tail) ?? this.#found;
    this.#tail = this.#tail.slice(-keptBytes);
  }

  get value(): string | undefined {
    return this.#found;
  }
}

function lastIn(text: string): string | undefined {
  let found: string | undefined;
  // Only whole lines count: a cursor at the start of a line says nothing of its end.
  for (const match of text.matchAll(/^\{"cursor":"(c1\.[^"]+)".*\n|,(c1\.[^",\r\n]+)\r\n/gm)) found = match[1] ?? match[2];
  return found;
}
