/** What a record is known by where that is several columns, as one text: whatever stands in them. */
export function idOf(...columns: readonly (string | number)[]): string {
  return JSON.stringify(columns);
}

/** The columns again; of `undefined` as many as given, each before every other. */
export function columnsOf<Columns extends readonly (string | number)[]>(id: string | undefined, beginning: Columns): Columns {
  return id === undefined ? beginning : (JSON.parse(id) as Columns);
}
