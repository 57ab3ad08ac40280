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
import { bytesEqual, concat } from "../bytes.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { base64, readBase64 } from "../base64.ts";
import { isValidAt, type LogKey, type SigningKey } from "./log-keys.ts";
import { hashLength } from "./merkle.ts";
import type { TreeHead } from "./verify-proof.ts";

export interface Checkpoint extends TreeHead {
  /** Names the tree: two checkpoints of one name and size must have one root. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

const encoder = new TextEncoder();
const ed25519 = 1;
const keyHashLength = 4;

export async function signCheckpoint(checkpoint: Checkpoint, key: SigningKey, sha256: Sha256Bytes): Promise<string> {
  const { origin, size, root, atMs } = checkpoint;
  const text = `${origin}\n${size}\n${base64(root)}\ntime ${new Date(atMs).toISOString()}\n`;
  const signature = await key.sign(encoder.encode(text));
  return `${text}\n— ${origin} ${base64(concat([keyHash(origin, key, sha256), signature]))}\n`;
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
  for (const line of signatures) {
    const [name, encoded = ""] = line.split(" ").slice(1);
    const bytes = readBase64(encoded);
    if (name !== checkpoint.origin || bytes === undefined) continue;
    const key = keys.find((one) => bytesEqual(keyHash(name, one, sha256), bytes.subarray(0, keyHashLength)));
    if (key === undefined) continue;
    if (!(await isSignature(bytes.subarray(keyHashLength), text, key)))
      return { ok: false, problem: `the signature is not one of key ${key.kid} over this checkpoint` };
    if (!isValidAt(key, checkpoint.atMs))
      return { ok: false, problem: `key ${key.kid} was not valid when the checkpoint says that it was signed` };
    return { ok: true, checkpoint, kid: key.kid };
  }
  return { ok: false, problem: "none of the keys signed the checkpoint" };
}

/** Unverified: what the note says of itself. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  return readText(splitNote(note)[0] ?? "");
}

function splitNote(note: string): [string?, string[]?] {
  const border = note.indexOf("\n\n");
  if (border < 0 || !note.endsWith("\n")) return [];
  const lines = note.slice(border + 2, -1).split("\n");
  return lines.every((line) => /^— \S+ \S+$/.test(line)) ? [note.slice(0, border + 1), lines] : [];
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

/** As signed notes name a key: it depends on the log's name, so that a signature for one is none for another. */
function keyHash(origin: string, { publicKey }: LogKey, sha256: Sha256Bytes): Uint8Array {
  return sha256(concat([encoder.encode(`${origin}\n`), Uint8Array.of(ed25519), publicKey])).subarray(0, keyHashLength);
}

async function isSignature(signature: Uint8Array, text: string, { publicKey }: LogKey): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(publicKey), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(encoder.encode(text)));
}
