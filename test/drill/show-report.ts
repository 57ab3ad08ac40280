import { holds, type DrillReport, type Table } from "./drill.ts";

export function showReport(name: string, { tables, bounds, notes }: DrillReport): string {
  const verdicts: Table = {
    title: "bounds",
    columns: ["", "is", "at most", ""],
    rows: bounds.map((bound) => [bound.title, bound.is, bound.atMost, holds(bound) ? "holds" : "FAILS"]),
  };
  const parts = [...tables, verdicts].map(showTable);
  return [`# ${name}`, "", ...parts, ...notes.map((note) => `- ${note}`), ""].join("\n");
}

function showTable({ title, columns, rows }: Table): string {
  const texts = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)));
  const lines = texts.map((row) =>
    row
      .map((cell, column) => (isNumeric(rows, column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  "),
  );
  return [`## ${title}`, ...lines.map((line) => line.trimEnd()), ""].join("\n");
}

/** Numbers stand under each other by their last digit. */
function isNumeric(rows: Table["rows"], column: number): boolean {
  return rows.every((row) => /^[\d.]*$/.test(String(row[column] ?? "")));
}
