/**
 * What the log says for ever of entries whose documents were deleted: an entry of its own, so that nobody can say later
 * that another rule did it, or that what is missing was deleted by one.
 */
import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";

export const deletionSchema = "strait.deletion.v1";

/** The first entry of a run of neighbours, and how many they are. */
export type LeafRun = readonly [first: number, count: number];

export interface DeletionStatement {
  readonly schema: typeof deletionSchema;
  readonly retentionClass: string;
  /** Milliseconds since the epoch: all of them were older, … */
  readonly beforeMs: number;
  readonly policyVersion: string;
  readonly policyDigest: string;
  /** … and deleted then. */
  readonly deletedAtMs: number;
  readonly leaves: readonly LeafRun[];
}

export function deletionText(statement: DeletionStatement): string {
  return canonicalJson(statement);
}

/** The statement that a log's document is; `undefined` where it is something else. */
export function readDeletion(document: string): DeletionStatement | undefined {
  // A receipt is not read as JSON for it: an audit goes over millions.
  if (!document.includes(deletionSchema)) return undefined;
  try {
    return statementSchema.safeParse(JSON.parse(document)).data;
  } catch {
    return undefined;
  }
}

const count = z.int().min(0);

const statementSchema: z.ZodType<DeletionStatement> = z.object({
  schema: z.literal(deletionSchema),
  retentionClass: z.string(),
  beforeMs: z.number(),
  policyVersion: z.string(),
  policyDigest: z.string(),
  deletedAtMs: z.number(),
  leaves: z.array(z.tuple([count, count])),
});

/** Entries in rising order, as runs. */
export function leafRuns(leaves: readonly number[]): readonly LeafRun[] {
  const runs: [number, number][] = [];
  for (const leaf of leaves) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === leaf) last[1] += 1;
    else runs.push([leaf, 1]);
  }
  return runs;
}
