import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalWriter } from "./postgres-writers.ts";
import { WriteAheadSlot } from "./write-ahead-slot.ts";

/** This machine as a writer of the shared journal, with the folder in which its receipts wait while that is away. */
export function journalWriter(folder: string, handedOverUntilMs: () => Promise<number>): JournalWriter {
  return {
    id: writerId(folder),
    handedOverUntilMs,
    receiptsWait: () => WriteAheadSlot.holdsSegments(folder),
  };
}

/** Drawn once for the folder, whichever of several processes comes first. */
function writerId(folder: string): string {
  const path = join(folder, "writer-id");
  try {
    writeFileSync(path, randomUUID(), { flag: "wx", mode: 0o600, flush: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8");
}
