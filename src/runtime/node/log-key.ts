import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLogKeys, type LogKeys } from "../../transparency/log-keys.ts";
import { errorCode } from "./error-code.ts";
import { hashes } from "./hashes.ts";

/** A gateway does not start with a log that nothing can sign. */
export class LogKeyUnusable extends Error {
  override readonly name = "LogKeyUnusable";
}

/**
 * The keys that `STRAIT_LOG_KEY` gives, as JSON or as a file with it. Without it, a key of this data directory's own, which
 * the first start makes.
 * @throws {LogKeyUnusable} if there is none to sign with; the message shows no part of a key.
 */
export async function openLogKeys(setting: string | undefined, dataDir: string): Promise<LogKeys> {
  const isInline = setting?.trimStart().startsWith("{") === true;
  const path = setting ?? join(dataDir, "log-key.json");
  if (setting === undefined) makeKey(dataDir, path);
  const read = await readLogKeys(isInline ? (setting ?? "") : readKeyFile(path), hashes.sha256Bytes);
  if (read.ok) return read.keys;
  throw new LogKeyUnusable(`The log's key${isInline ? " in STRAIT_LOG_KEY" : `, ${path},`} cannot be used: ${read.problem}.`);
}

/** The JWK of a new key, with its private part. */
export function newLogKey(nowMs: number): Readonly<Record<string, string>> {
  const { x = "", d = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { kty: "OKP", crv: "Ed25519", x, d, validFrom: new Date(nowMs).toISOString() };
}

/** Never over one that is there: of several processes that start at once, one makes it and all read it. */
function makeKey(dataDir: string, path: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { validFrom: _, ...key } = newLogKey(0);
  try {
    writeFileSync(path, `${JSON.stringify({ keys: [key] })}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (errorCode(error) !== "EEXIST")
      throw new LogKeyUnusable(`The log's key cannot be written to ${path} (${errorCode(error)}).`);
  }
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new LogKeyUnusable(`The log's key cannot be read from ${path} (${errorCode(error)}).`);
  }
}
