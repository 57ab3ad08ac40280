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
  | "account"
  | "start_sums"
  | "set_sums"
  | "drop_sums";

/** One library in three files, each of which goes on where the one before ends. */
const files = ["./valkey-counters.lua", "./valkey-reservations.lua", "./valkey-upkeep.lua"];
const clockLine = "local is_test_time = false";

/**
 * @param testTime whether a test sets the time, in milliseconds since the epoch, in a key beside each bucket. The library
 * that production loads goes by the server's time alone.
 */
export function quotaLibrary(testTime: boolean): ValkeyLibrary {
  const plain = files.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("\n");
  if (!plain.includes(clockLine)) throw new Error("The library's clock is not where it was.");
  const text = testTime ? plain.replace(clockLine, "local is_test_time = true") : plain;
  const name = `strait_${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  return { name, text: text.replaceAll("LIBRARY", name) };
}
