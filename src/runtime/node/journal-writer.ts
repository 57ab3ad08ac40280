import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { JournalWriter } from "./postgres-writers.ts";
import { WriteAheadSlot } from "./write-ahead-slot.ts";

/** What a process knows of the data directory that it shares with others. */
export interface DataDirectory {
  /** With the files in which receipts wait while the journal is away. */
  readonly folder: string;
  /** This process's place in it. */
  readonly slot: number;
  /** As `JournalWriter` has them. */
  readonly handedOverUntilMs: () => Promise<number>;
  readonly holdsRequests: () => Promise<boolean>;
}

/** This process as a writer of the shared journal. Each place in the folder is a writer, whichever process has it. */
export function journalWriter({ folder, slot, handedOverUntilMs, holdsRequests }: DataDirectory): JournalWriter {
  const id = directoryId(folder);
  const whileDead: JournalWriter["whileDead"] = async (work) => {
    const free = WriteAheadSlot.takeFree(folder);
    try {
      return await work(free.map(({ number }) => writerId(id, number)));
    } finally {
      for (const one of free) one.release();
    }
  };
  return {
    id: writerId(id, slot),
    whileDead,
    dead() {
      const free = WriteAheadSlot.takeFree(folder);
      for (const one of free) one.release();
      return free.map(({ number }) => writerId(id, number));
    },
    handedOverUntilMs,
    holdsRequests,
    receiptsWait: () => WriteAheadSlot.holdsSegments(folder),
  };
}

function writerId(directory: string, slot: number): string {
  return slot === 0 ? directory : `${directory}.${slot}`;
}

/** Drawn once for the folder, whichever of several processes comes first; it begins with the machine's name. */
function directoryId(folder: string): string {
  const path = join(folder, "writer-id");
  try {
    writeFileSync(path, `${hostname()}-${randomUUID()}`, { flag: "wx", mode: 0o600, flush: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8");
}
