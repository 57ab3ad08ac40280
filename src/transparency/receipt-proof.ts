/**
 * A receipt with all that is needed to check, without anybody's help, that it stands in the log. The entry that is hashed
 * is the receipt as canonical JSON (RFC 8785).
 */
import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { openCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { hashText, mostSiblings } from "./hash-text.ts";
import type { LogKey } from "./log-keys.ts";
import { MerkleHasher } from "./merkle.ts";
import { parseUnambiguous } from "./unambiguous-json.ts";
import { verifyInclusion } from "./verify-proof.ts";

export const proofFormat = "strait.receipt-proof.v1";

export interface ReceiptProof {
  readonly format: typeof proofFormat;
  readonly receipt: Readonly<Record<string, unknown>>;
  /** The entry's place in the tree, from 0. */
  readonly leafIndex: number;
  /** Hashes from the leaf's neighbour up, base64. */
  readonly inclusion: readonly string[];
  /** The signed note. */
  readonly checkpoint: string;
}

const proofSchema = z.strictObject({
  format: z.literal(proofFormat),
  // Not a record: that leaves out members of some names, and all of it is what was hashed.
  receipt: z.custom<ReceiptProof["receipt"]>((value) => typeof value === "object" && value !== null && !Array.isArray(value)),
  leafIndex: z.int().min(0),
  inclusion: z.array(hashText).max(mostSiblings),
  checkpoint: z.string().max(10_000),
});

export type ProofVerdict =
  | {
      readonly ok: true;
      readonly receipt: Readonly<Record<string, unknown>>;
      readonly checkpoint: Checkpoint;
      readonly leafIndex: number;
      /** The key that signed. */
      readonly kid: string;
    }
  | { readonly ok: false; readonly problem: string };

/** Checks the text of a proof against the log's public keys. */
export async function verifyReceiptProof(text: string, keys: readonly LogKey[], sha256: Sha256Bytes): Promise<ProofVerdict> {
  const proof = proofSchema.safeParse(parseUnambiguous(text)).data;
  if (proof === undefined) return { ok: false, problem: `it is not a document of the form ${proofFormat}` };
  const opened = await openCheckpoint(proof.checkpoint, keys, sha256);
  if (!opened.ok) return opened;
  const { checkpoint, kid } = opened;
  const { receipt, leafIndex, inclusion } = proof;
  const hasher = new MerkleHasher(sha256);
  const leaf = hasher.leafOfText(canonicalJson(receipt));
  if (!verifyInclusion(leaf, leafIndex, checkpoint.size, inclusion, checkpoint.root, hasher))
    return { ok: false, problem: "the receipt is not the entry that the proof leads to" };
  return { ok: true, receipt, checkpoint, leafIndex, kid };
}
