import { makePrivateJwk } from "../../src/bundle/policy-keys.ts";
import type { RefusalReceipt } from "../../src/ledger/receipt.ts";
import { readLogKeys, readPublicKeys, type LogKey, type LogKeys } from "../../src/transparency/log-keys.ts";
import { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import type { LogWorld } from "../stores/store-world.ts";
import { sha256Bytes } from "./sha256.ts";

export interface Jwk {
  readonly [member: string]: string;
}

export async function newKey(validity: { validFrom?: string; validUntil?: string } = {}): Promise<Jwk> {
  return { ...(await makePrivateJwk()), ...validity };
}

export async function logKeys(...keys: readonly Jwk[]): Promise<LogKeys> {
  const read = await readLogKeys(JSON.stringify({ keys }), sha256Bytes);
  if (!read.ok) throw new Error(read.problem);
  return read.keys;
}

export function publicKeys(...keys: readonly Jwk[]): readonly LogKey[] {
  const read = readPublicKeys(JSON.stringify({ keys }), sha256Bytes);
  if (!read.ok) throw new Error(read.problem);
  return read.keys;
}

export async function logOf(world: Pick<LogWorld, "tree" | "nowMs">, ...keys: readonly Jwk[]): Promise<TransparencyLog> {
  return new TransparencyLog(world.tree, await logKeys(...keys), { nowMs: () => world.nowMs() }, sha256Bytes);
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
