import { usageFailure } from "./failure.ts";

/** One row of a CSV file with the line on which it begins. */
export interface CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/** Far above any row of a usage export: an open quote must not take the whole file for one cell. */
const longestCell = 1_000_000;

/** Rows of CSV as RFC 4180 has it, as the text comes; empty lines are left out. */
export async function* csvRows(pieces: AsyncIterable<string>, delimiter = ","): AsyncGenerator<CsvRow, void> {
  const reader = new RowReader(delimiter);
  for await (const piece of pieces) yield* reader.read(piece);
  yield* reader.end();
}

class RowReader {
  readonly #delimiter: string;
  #cells: string[] = [];
  #cell = "";
  #quoted = false;
  /** A quote inside quotes: the end of them, or the first half of a quote that is meant. */
  #closing = false;
  #line = 1;
  #beganAt = 1;
  #atStart = true;
  #afterReturn = false;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  *read(text: string): Generator<CsvRow, void> {
    for (const character of text) {
      if (this.#atStart) {
        this.#atStart = false;
        if (character === "\uFEFF") continue;
      }
      const row = this.#take(character);
      if (row !== undefined) yield row;
    }
    if (this.#cell.length > longestCell) throw usageFailure(`A quote that opens in line ${this.#beganAt} does not close.`);
  }

  *end(): Generator<CsvRow, void> {
    if (this.#quoted && !this.#closing) throw usageFailure(`A quote that opens in line ${this.#beganAt} does not close.`);
    const row = this.#endRow();
    if (row !== undefined) yield row;
  }

  #take(character: string): CsvRow | undefined {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = character === "\r";
    if (character === "\n" && !afterReturn) this.#line += 1;
    if (character === "\r") this.#line += 1;
    if (this.#quoted) {
      if (!this.#closing) {
        if (character === '"') this.#closing = true;
        else this.#cell += character;
        return undefined;
      }
      this.#closing = false;
      if (character === '"') {
        this.#cell += character;
        return undefined;
      }
      this.#quoted = false;
    }
    if (character === '"' && this.#cell === "") this.#quoted = true;
    else if (character === this.#delimiter) this.#endCell();
    else if (character === "\r" || (character === "\n" && !afterReturn)) return this.#endRow();
    else if (character !== "\n") this.#cell += character;
    else this.#beganAt = this.#line;
    return undefined;
  }

  #endCell(): void {
    this.#cells.push(this.#cell);
    this.#cell = "";
    this.#quoted = false;
    this.#closing = false;
  }

  #endRow(): CsvRow | undefined {
    this.#endCell();
    const row = { line: this.#beganAt, cells: this.#cells };
    this.#cells = [];
    this.#beganAt = this.#line;
    return row.cells.length === 1 && row.cells[0] === "" ? undefined : row;
  }
}
