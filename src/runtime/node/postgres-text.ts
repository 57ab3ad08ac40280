import { journalText } from "../../ledger/journal-text.ts";
import type { Receipt, RefusalReceipt } from "../../ledger/receipt.ts";

/** What `JSON.stringify` writes for NUL and for half a surrogate pair. A backslash before it makes it something else, which is looked at again. */
const suspicious = /\\u(?:0000|d[89a-f])/;

const replacement = "\ufffd";

/** Whether PostgreSQL keeps this text as it is: it has no NUL, and only whole characters. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/**
 * JSON that `jsonb` takes. What it cannot keep becomes U+FFFD: an upstream's odd id must neither lose its receipt nor
 * hold up those behind it.
 */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!suspicious.test(json)) return json;
  return JSON.stringify(value, (_name, member: unknown) => (typeof member === "string" ? storable(member) : member));
}

function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", replacement);
}

/** A record's canonical text, without what `jsonb` cannot keep: the document and the text beside it must say the same. */
export function storableRecord(record: Receipt | RefusalReceipt): string {
  const text = journalText(record);
  return suspicious.test(text) ? journalText(JSON.parse(storableJson(record)) as Receipt | RefusalReceipt) : text;
}
