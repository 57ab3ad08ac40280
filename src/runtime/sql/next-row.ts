/**
 * The row id of what is written next, as SQL. Ids go on from what the tree has taken, whatever retention deleted since: one
 * that came twice would stand for two entries.
 */
export const nextReceipt: string = next("receipt", "receipts");
export const nextRefusal: string = next("refusal", "refusals");

function next(table: string, taken: string): string {
  return `(SELECT max(${taken}, coalesce((SELECT max(sequence) FROM ${table}), 0)) + 1 FROM tree_state)`;
}
