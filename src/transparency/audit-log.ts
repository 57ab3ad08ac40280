import { bytesEqual } from "../bytes.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { readBase64 } from "../base64.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readDeletion, type LeafRun } from "./deletion-statement.ts";
import type { InJournal } from "./log-store.ts";
import { GrowingRoot, MerkleHasher } from "./merkle.ts";

/** An entry as the log's operator shows it: what the journal has now, and what the tree says that it was. */
export interface ShownEntry {
  readonly leafIndex: number;
  /** Canonical JSON; `null` where the journal does not have it any more. */
  readonly document: string | null;
  /** The stored leaf hash, base64. */
  readonly leafHash: string;
  /** The retention class by which the document was deleted; `null` where nobody says that it was. */
  readonly forgotten: string | null;
  /** Records that were written before it and dropped before the log took them in; `null` where the store cannot tell. */
  readonly droppedBefore: number | null;
  readonly inJournal: InJournal;
}

export interface AuditReport {
  /** Entries that were looked at. */
  readonly entries: number;
  readonly forgotten: number;
  /** Whether the store could tell of every entry what was dropped before it. */
  readonly seesDropped: boolean;
  /** What is wrong, each a sentence; at most `mostProblems`. */
  readonly problems: readonly string[];
}

const mostProblems = 100;

/**
 * Does a log's tree again from its journal, and compares it with what was signed. `checkpoints` were verified before: the
 * newest, and as many as the auditor has kept of earlier times. Without an earlier one, an operator who holds the key and
 * rewrites everything at once cannot be found out.
 */
export async function auditLog(
  pages: AsyncIterable<readonly ShownEntry[]>,
  checkpoints: readonly Checkpoint[],
  sha256: Sha256Bytes,
): Promise<AuditReport> {
  const hasher = new MerkleHasher(sha256);
  const problems: string[] = [];
  const root = new GrowingRoot(hasher);
  let forgotten = 0;
  let seesDropped = true;
  const missing: number[] = [];
  const stated: LeafRun[] = [];
  const say = (problem: string): void => {
    if (problems.length < mostProblems) problems.push(problem);
  };
  const compare = (): void => {
    for (const checkpoint of checkpoints) {
      if (checkpoint.size !== root.size || bytesEqual(checkpoint.root, root.root())) continue;
      say(
        `the first ${checkpoint.size} entries are not those that were signed at ${new Date(checkpoint.atMs).toISOString()}: the log was forked or rewritten`,
      );
    }
  };
  const origins = new Set(checkpoints.map(({ origin }) => origin));
  if (origins.size > 1)
    say(`the checkpoints are of different logs, ${[...origins].join(" and ")}: one of them was renamed or replaced`);
  compare();
  for await (const page of pages) {
    for (const { leafIndex, document, leafHash, forgotten: retention, droppedBefore, inJournal } of page) {
      if (droppedBefore === null) seesDropped = false;
      else if (droppedBefore > 0)
        say(`before entry ${leafIndex}, ${droppedBefore} of the records written were dropped before the log took them in`);
      if (inJournal !== "same") say(`entry ${leafIndex} was ${inJournal} in the journal; the log alone has it still`);
      if (leafIndex !== root.size) say(`entry ${root.size} is missing: entry ${leafIndex} is shown in its place`);
      const stored = readBase64(leafHash);
      const actual = document === null ? undefined : hasher.leafOfText(document);
      if (stored === undefined) say(`the tree has no leaf hash for entry ${leafIndex}`);
      if (actual !== undefined && stored !== undefined && !bytesEqual(actual, stored))
        say(`entry ${leafIndex} is not what the tree says that it was: changed, or put in another's place`);
      if (document === null && retention === null) say(`entry ${leafIndex} was dropped from the journal, by no retention class`);
      if (document === null && retention !== null) {
        forgotten += 1;
        missing.push(leafIndex);
      }
      // Of what came before alone: nothing can have been deleted that was not yet there.
      if (document !== null)
        stated.push(...(readDeletion(document)?.leaves ?? []).filter(([first, count]) => first + count <= leafIndex));
      root.add(actual ?? stored ?? hasher.empty());
      compare();
    }
  }
  for (const leaf of unstated(missing, stated))
    say(`entry ${leaf} was dropped from the journal: no entry of the log says that it was deleted`);
  for (const { size } of checkpoints)
    if (size > root.size) say(`a tree of ${size} entries was signed, and there are ${root.size}`);
  return { entries: root.size, forgotten, seesDropped, problems };
}

/** Of `missing`, in rising order, what no run contains. */
function unstated(missing: readonly number[], runs: readonly LeafRun[]): number[] {
  const rising = runs.toSorted((a, b) => a[0] - b[0]);
  let next = 0;
  let statedUntil = 0;
  return missing.filter((leaf) => {
    for (let run = rising[next]; run !== undefined && run[0] <= leaf; run = rising[++next])
      statedUntil = Math.max(statedUntil, run[0] + run[1]);
    return leaf >= statedUntil;
  });
}
