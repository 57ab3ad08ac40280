import { z } from "zod";
import { bytesEqual } from "../bytes.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { openCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { hashText, mostSiblings } from "./hash-text.ts";
import type { LogKey } from "./log-keys.ts";
import { MerkleHasher } from "./merkle.ts";
import { parseUnambiguous } from "./unambiguous-json.ts";
import { verifyConsistency } from "./verify-proof.ts";

/** Shows that a log at one checkpoint is the beginning of what it is at another. */
export interface ConsistencyProof {
  /** Signed notes. */
  readonly earlier: string;
  readonly later: string;
  /** Base64. */
  readonly consistency: readonly string[];
}

const proofSchema = z.strictObject({
  earlier: z.string().max(10_000),
  later: z.string().max(10_000),
  consistency: z.array(hashText).max(mostSiblings),
});

export type ConsistencyVerdict = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** Checks the text of a proof against two checkpoints that were opened by the same keys. Two of one size need no proof. */
export async function verifyConsistencyProof(
  text: string | undefined,
  earlier: Checkpoint,
  later: Checkpoint,
  keys: readonly LogKey[],
  sha256: Sha256Bytes,
): Promise<ConsistencyVerdict> {
  const hasher = new MerkleHasher(sha256);
  if (text === undefined && earlier.size === later.size)
    return verifyConsistency(earlier, later, [], hasher)
      ? { ok: true }
      : { ok: false, problem: "two different trees have one size" };
  const proof = proofSchema.safeParse(parseUnambiguous(text ?? "")).data;
  if (proof === undefined) return { ok: false, problem: "the proof is not what GET /v1/strait/log/consistency answers" };
  for (const [note, known] of [[proof.earlier, earlier] as const, [proof.later, later] as const]) {
    const opened = await openCheckpoint(note, keys, sha256);
    if (!opened.ok) return { ok: false, problem: `in the proof, ${opened.problem}` };
    if (!isSameTree(opened.checkpoint, known)) return { ok: false, problem: "the proof is between other checkpoints" };
  }
  if (verifyConsistency(earlier, later, proof.consistency, hasher)) return { ok: true };
  return { ok: false, problem: "the later log does not begin with the earlier one" };
}

/** One tree may have been signed twice, by different keys or at different times. */
function isSameTree(one: Checkpoint, other: Checkpoint): boolean {
  return one.origin === other.origin && one.size === other.size && bytesEqual(one.root, other.root);
}
