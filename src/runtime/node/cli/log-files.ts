import { readFileSync } from "node:fs";
import { openCheckpoint, type Checkpoint } from "../../../transparency/checkpoint.ts";
import { readPublicKeys, type LogKey } from "../../../transparency/log-keys.ts";
import { errorCode } from "../error-code.ts";
import { hashes } from "../hashes.ts";
import type { Input, Option } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";

export const keyOption: Option = {
  name: "key",
  value: "FILE",
  help: "the log's public keys, a JWK set: GET /.well-known/strait/jwks.json, kept from when you trusted it",
};

export function readFileOf(path: string): string {
  return readBytesOf(path).toString("utf8");
}

export function readBytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw usageFailure(`${path} cannot be read (${errorCode(error)}).`);
  }
}

export function readKeysOf(input: Input): readonly LogKey[] {
  const path = input.option("key");
  if (path === undefined) throw usageFailure("Name the file with the log's public keys: --key FILE.");
  const read = readPublicKeys(readFileOf(path), hashes.sha256Bytes);
  if (!read.ok) throw usageFailure(`${path} holds no key of a log: ${read.problem}.`);
  return read.keys;
}

/** A checkpoint's text, as it is or as the member `checkpoint` of a JSON document. */
export function noteIn(text: string): string {
  if (!text.trimStart().startsWith("{")) return text;
  try {
    const { checkpoint } = JSON.parse(text) as { checkpoint?: unknown };
    return typeof checkpoint === "string" ? checkpoint : "";
  } catch {
    return "";
  }
}

/** Fails where none of the keys signed it. */
export async function openNote(note: string, keys: readonly LogKey[], name: string): Promise<Checkpoint> {
  const opened = await openCheckpoint(note, keys, hashes.sha256Bytes);
  if (opened.ok) return opened.checkpoint;
  throw new Failure(exitCodes.failed, `${name}: ${opened.problem}.`, { verified: false, problem: opened.problem });
}
