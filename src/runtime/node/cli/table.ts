/** Aligned columns for people; nothing is `-`. What may be wide or long goes last, where it disturbs no other column. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const cells = [heads, ...rows.map((row) => row.map(cell))];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table whose rows are shown as they come, so that its widths are given and not found. */
export function liveTable(
  heads: readonly string[],
  widths: readonly number[],
): { readonly head: string; row(cells: readonly (string | number | null)[]): string } {
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return { head: line(heads), row: (cells) => line(cells.map(cell)) };
}

/** Names and values, one a line. */
export function fields(pairs: readonly (readonly [name: string, value: string | number | null | undefined])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}`).join("\n");
}

/** A list on one line; `all` says what no list means. */
export function listed(list: readonly string[] | null, all: string): string {
  return list === null ? all : list.join(",");
}

/** Control characters are shown as `?`: a tenant's name must not steer the operator's terminal. */
function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === "") return "-";
  return String(value).replaceAll(/\p{Cc}/gu, "?");
}
