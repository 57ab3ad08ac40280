/** A reader of CSV that shares nothing with the code under test: one expression, cell after cell. */
export function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    if (match.index !== at) throw new Error(`no CSV at ${at}: ${text.slice(at, at + 40)}`);
    at += match[0].length;
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  if (at !== text.length) throw new Error(`no CSV at ${at}: ${text.slice(at, at + 40)}`);
  return rows;
}

/** Rows by their columns' names. */
export function readRecords(text: string): Record<string, string>[] {
  const [head = [], ...rows] = readCsv(text);
  return rows.map((cells) => {
    if (cells.length !== head.length) throw new Error(`${cells.length} cells under ${head.length} columns`);
    return Object.fromEntries(head.map((name, index) => [name, cells[index] ?? ""]));
  });
}
