/** One row of CSV as RFC 4180 has it; nothing is an empty cell. */
export function csvRow(cells: readonly (string | undefined)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(text: string | undefined): string {
  if (text === undefined) return "";
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Text that others chose (names, models, what an upstream says of itself) as a cell that no spreadsheet takes for a
 * formula: whoever opens a bill must not run what a client sent.
 */
export function harmless(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
}

/** Micro-USD as a decimal number of USD, without a float: 1_500_000 is `1.500000`. */
export function microUsdDecimal(microUsd: number): string {
  const digits = String(Math.abs(microUsd)).padStart(7, "0");
  return `${microUsd < 0 ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
