import { generateKeyPairSync } from "node:crypto";
import type { RefusalReceipt } from "../../src/ledger/receipt.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { readLogKeys, readPublicKeys, type LogKey, type LogKeys } from "../../src/transparency/log-keys.ts";
import { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import type { LogWorld } from "../stores/store-world.ts";

export interface Jwk {
  readonly [member: string]: string;
}

export function newKey(validity: { validFrom?: string; validUntil?: string } = {}): Jwk {
  const { x = "", d = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { kty: "OKP", crv: "Ed25519", x, d, ...validity };
}

export async function logKeys(...keys: readonly Jwk[]): Promise<LogKeys> {
  const read = await readLogKeys(JSON.stringify({ keys }), hashes.sha256Bytes);
  if (!read.ok) throw new Error(read.problem);
  return read.keys;
}

export function publicKeys(...keys: readonly Jwk[]): readonly LogKey[] {
  const read = readPublicKeys(JSON.stringify({ keys }), hashes.sha256Bytes);
  if (!read.ok) throw new Error(read.problem);
  return read.keys;
}

export async function logOf(world: Pick<LogWorld, "tree" | "nowMs">, ...keys: readonly Jwk[]): Promise<TransparencyLog> {
  return new TransparencyLog(world.tree, await logKeys(...keys), { nowMs: () => world.nowMs() }, hashes.sha256Bytes);
}

export function refusal(requestId: string, more: Partial<RefusalReceipt> = {}): RefusalReceipt {
  return {
    schema: "strait.receipt.v2",
    requestId,
    tenantId: "acme",
    legalEntity: "Acme",
    keyId: "key_1",
    endUser: undefined,
    dialect: "openai",
    surface: "chat.completions",
    modelAsked: "gpt-x",
    requestDigest: undefined,
    inputs: undefined,
    policyVersion: "1",
    policyDigest: "00",
    catalogueDigest: "11",
    candidatesRefused: undefined,
    refusal: { kind: "model_not_found" },
    gatewayPlace: "here",
    stream: false,
    status: 404,
    end: "refused",
    traceId: undefined,
    startedAtMs: 1_000,
    endedAtMs: 1_001,
    ...more,
  };
}
