/**
 * Texts signed as C2SP's signed notes are:
 *
 *     the text, one line or more
 *
 *     — strait/5a1f… Zk3l…=            the signer's name, the first four bytes of the key's hash, and the Ed25519 signature
 */
import { base64, readBase64 } from "../base64.ts";
import { bytesEqual, concat } from "../bytes.ts";
import type { Clock } from "../clock.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { isValidAt, type LogKey, type LogKeys, type SigningKey } from "./log-keys.ts";

const encoder = new TextEncoder();
const ed25519 = 1;
const keyHashLength = 4;

/** Signs with the key that is valid now; `undefined` where none is. `text` ends with a line break. */
export type SignNote = (name: string, text: string) => Promise<string | undefined>;

export function noteSigner(keys: LogKeys, clock: Pick<Clock, "nowMs">, sha256: Sha256Bytes): SignNote {
  return async (name, text) => {
    const key = keys.signerAt(clock.nowMs());
    return key && signNote(name, text, key, sha256);
  };
}

export async function signNote(name: string, text: string, key: SigningKey, sha256: Sha256Bytes): Promise<string> {
  const signature = await key.sign(encoder.encode(text));
  return `${text}\n— ${name} ${base64(concat([keyHash(name, key, sha256), signature]))}\n`;
}

/** Unverified: the text, and the lines with its signatures; nothing where it does not have the form of a note. */
export function splitNote(note: string): [text?: string, signatures?: string[]] {
  const border = note.indexOf("\n\n");
  if (border < 0 || !note.endsWith("\n")) return [];
  const lines = note.slice(border + 2, -1).split("\n");
  return lines.every((line) => /^— \S+ \S+$/.test(line)) ? [note.slice(0, border + 1), lines] : [];
}

/** What a text says of itself. */
export interface SignedText {
  readonly what: string;
  readonly name: string;
  readonly text: string;
  readonly signatures: readonly string[];
  /** When it says that it was signed, in milliseconds since the epoch. */
  readonly atMs: number;
}

export type NoteVerdict = { readonly ok: true; readonly kid: string } | { readonly ok: false; readonly problem: string };

/** Whether one of the keys signed it while it was valid. */
export async function verifyNote(signed: SignedText, keys: readonly LogKey[], sha256: Sha256Bytes): Promise<NoteVerdict> {
  const { what, name, text, atMs } = signed;
  for (const line of signed.signatures) {
    const [signer, encoded = ""] = line.split(" ").slice(1);
    const bytes = readBase64(encoded);
    if (signer !== name || bytes === undefined) continue;
    const key = keys.find((one) => bytesEqual(keyHash(name, one, sha256), bytes.subarray(0, keyHashLength)));
    if (key === undefined) continue;
    if (!(await isSignature(bytes.subarray(keyHashLength), text, key)))
      return { ok: false, problem: `the signature is not one of key ${key.kid} over this ${what}` };
    if (!isValidAt(key, atMs))
      return { ok: false, problem: `key ${key.kid} was not valid when the ${what} says that it was signed` };
    return { ok: true, kid: key.kid };
  }
  return { ok: false, problem: `none of the keys signed the ${what}` };
}

/** As signed notes name a key: it depends on the signer's name, so that a signature under one is none under another. */
function keyHash(name: string, { publicKey }: LogKey, sha256: Sha256Bytes): Uint8Array {
  return sha256(concat([encoder.encode(`${name}\n`), Uint8Array.of(ed25519), publicKey])).subarray(0, keyHashLength);
}

async function isSignature(signature: Uint8Array, text: string, { publicKey }: LogKey): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(publicKey), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(encoder.encode(text)));
}
