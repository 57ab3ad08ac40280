import type { Tile } from "./tiles.ts";

/** Where the record of a request stands. */
export type LogPlace =
  | { readonly kind: "in_tree"; readonly leafIndex: number; readonly document: string }
  /** Written, and not yet taken into the tree. */
  | { readonly kind: "waiting" }
  /** Written before there was a log. */
  | { readonly kind: "before_log" }
  | { readonly kind: "absent" };

/**
 * How the journal has an entry's record. Where both are one and the same row nothing but `same` can come of it; where the
 * journal keeps its own copy, that copy may have been changed or dropped and the log's left alone.
 */
export type InJournal = "same" | "changed" | "dropped";

export interface LogEntry {
  readonly leafIndex: number;
  /** Canonical JSON, as the log has it; `undefined` where it does not have it any more. */
  readonly document: string | undefined;
  /** The retention class by which the document was deleted; `undefined` where nobody says that it was. */
  readonly forgotten: string | undefined;
  /**
   * How many records were written after the one of its kind that came in before it, and were gone when it came in; `undefined`
   * where the store does not number records without gaps, and cannot tell.
   */
  readonly droppedBefore: number | undefined;
  /** Of what a later entry corrects, or whose document was deleted, `same`: the journal has it no more. */
  readonly inJournal: InJournal;
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly atMs: number;
  readonly note: string;
}

/**
 * A tree beside its journal. It takes the journal's records in their order, later than they are written and never twice,
 * and is never rewritten; who integrates does it alone. What it has taken in survives its process.
 */
export interface LogStore {
  /** The tree's name in its checkpoints. */
  origin(): Promise<string>;
  size(): Promise<number>;
  /** Takes the journal's next records into the tree, at most `most`, all or none; resolves with how many they were. */
  integrate(most: number): Promise<number>;
  /** A tile's hashes; rejects where it is not there. */
  tile(level: Tile["level"], index: Tile["index"]): Promise<Uint8Array>;
  /** The last record of a request. */
  place(tenantId: string, requestId: string): Promise<LogPlace>;
  /** Entries in their order, from `from` on. */
  entries(from: number, count: number): Promise<readonly LogEntry[]>;
  /** The newest that was kept, or the one of the least size that is not below `size`. */
  checkpoint(size?: number): Promise<StoredCheckpoint | undefined>;
  /** The first of a size stands. */
  keepCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
}
