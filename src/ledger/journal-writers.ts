/** One who writes receipts to a journal that several share. */
export interface KnownWriter {
  readonly id: string;
  /** When it was last heard of, milliseconds since the epoch. */
  readonly seenAtMs: number;
  /** Up to when all of its receipts are in the journal, milliseconds since the epoch; 0 where it never said. */
  readonly completeUntilMs: number;
}

/**
 * Those who write to a journal, from their start until they stopped with nothing left to write. What one of them that died
 * has still to write is missing in the journal, so that nothing may be concluded from it which takes it for whole.
 */
export interface JournalWriters {
  /** Those that may have written in this month or the last, by id. */
  list(): Promise<readonly KnownWriter[]>;
  /**
   * Takes one off the list that never comes back, with whatever it had to write: false where it is not on it. One that does
   * come back is on it again.
   */
  dismiss(id: string): Promise<boolean>;
}
