import { deletionSchema, deletionText, type LeafRun } from "../transparency/deletion-statement.ts";
import type { DeletionRule } from "./retained-records.ts";

/** The text of the log's entry that says by which rule the documents of these entries were deleted. */
export function stateDeletion(leaves: readonly LeafRun[], rule: DeletionRule): string {
  const { className, beforeMs, policyVersion, policyDigest, atMs } = rule;
  return deletionText({
    schema: deletionSchema,
    retentionClass: className,
    beforeMs,
    policyVersion,
    policyDigest,
    deletedAtMs: atMs,
    leaves,
  });
}
