/**
 * A signed statement of what a tree was, in the form of C2SP's checkpoints and signed notes:
 *
 *     strait/5a1f…                     the tree's name
 *     1284                             how many entries it has
 *     w3mZ…=                           its root, base64
 *     time 2026-11-25T21:22:51.000Z    when it was signed
 *
 *     — strait/5a1f… Zk3l…=            the first four bytes of the key's hash, and the Ed25519 signature, base64
 */
import type { Sha256Bytes } from "../hashes.ts";
import { base64, readBase64 } from "../base64.ts";
import type { LogKey, SigningKey } from "./log-keys.ts";
import { hashLength } from "./merkle.ts";
import { signNote, splitNote, verifyNote } from "./signed-note.ts";
import type { TreeHead } from "./verify-proof.ts";

export interface Checkpoint extends TreeHead {
  /** Names the tree: two checkpoints of one name and size must have one root. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export async function signCheckpoint(checkpoint: Checkpoint, key: SigningKey, sha256: Sha256Bytes): Promise<string> {
  const { origin, size, root, atMs } = checkpoint;
  const text = `${origin}\n${size}\n${base64(root)}\ntime ${new Date(atMs).toISOString()}\n`;
  return signNote(origin, text, key, sha256);
}

export type CheckpointRead =
  | { readonly ok: true; readonly checkpoint: Checkpoint; readonly kid: string }
  | { readonly ok: false; readonly problem: string };

/** What a note says, if one of the keys signed it while it was valid. */
export async function openCheckpoint(note: string, keys: readonly LogKey[], sha256: Sha256Bytes): Promise<CheckpointRead> {
  const [text = "", signatures] = splitNote(note);
  const checkpoint = readText(text);
  if (checkpoint === undefined || signatures === undefined)
    return { ok: false, problem: "the checkpoint does not have the form of one" };
  const { origin: name, atMs } = checkpoint;
  const verdict = await verifyNote({ what: "checkpoint", name, text, signatures, atMs }, keys, sha256);
  return verdict.ok ? { ok: true, checkpoint, kid: verdict.kid } : verdict;
}

/** Unverified: what the note says of itself. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  return readText(splitNote(note)[0] ?? "");
}

function readText(text: string): Checkpoint | undefined {
  const match = /^(strait\/[0-9a-z_./-]{1,100})\n(0|[1-9]\d{0,15})\n(\S+)\ntime (\S+)\n$/.exec(text);
  if (match === null) return undefined;
  const [, origin = "", size, root = "", time = ""] = match;
  const rootBytes = readBase64(root);
  const atMs = Date.parse(time);
  if (rootBytes?.length !== hashLength || Number.isNaN(atMs) || new Date(atMs).toISOString() !== time) return undefined;
  return { origin, size: Number(size), root: rootBytes, atMs };
}
