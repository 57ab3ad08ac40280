import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A library of functions as a server loads it. */
export interface ValkeyLibrary {
  /** Holds the digest of the text, so that what is called is what was meant. */
  readonly name: string;
  readonly text: string;
}

export type ValkeyFunction =
  | "reserve"
  | "restore"
  | "settle"
  | "renew"
  | "expire"
  | "recorded"
  | "inspect"
  | "opened"
  | "oldest"
  | "epoch"
  | "start_rebuild"
  | "rebuild";

const source = new URL("./valkey-quota.lua", import.meta.url);
const clockLine = "local test_offset_key = false";

/**
 * @param testOffsetKey a key that a test moves the server's time by, in milliseconds. The library that production loads
 * has no such thing in it.
 */
export function quotaLibrary(testOffsetKey: string | undefined): ValkeyLibrary {
  const plain = readFileSync(source, "utf8");
  if (!plain.includes(clockLine)) throw new Error("The library's clock is not where it was.");
  const text = testOffsetKey === undefined ? plain : plain.replace(clockLine, `local test_offset_key = '${testOffsetKey}'`);
  const name = `strait_${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  return { name, text: text.replaceAll("LIBRARY", name) };
}
