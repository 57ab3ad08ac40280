import { canonicalJson } from "../canonical-json.ts";
import type { Receipt, RefusalReceipt } from "./receipt.ts";

/**
 * A receipt as the journal stores it and the log hashes it: canonical JSON, so that whoever has the receipt has the bytes.
 * What others said of themselves stands in it, and must not keep it from being written: half a character that an upstream
 * sent has no such form, and is replaced as any decoder of UTF-8 would.
 */
export function journalText(receipt: Receipt | RefusalReceipt): string {
  try {
    return canonicalJson(receipt);
  } catch {
    const wellFormed = (_: string, value: unknown): unknown => (typeof value === "string" ? value.toWellFormed() : value);
    return canonicalJson(JSON.parse(JSON.stringify(receipt), wellFormed));
  }
}
