import { canonicalJson, writtenOnce } from "../../src/canonical-json.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { newLogKey } from "../../src/runtime/node/log-key.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { SqlJournal } from "../../src/runtime/sql/journal.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";
import { SqlTree } from "../../src/runtime/sql/tree.ts";
import { readLogKeys } from "../../src/transparency/log-keys.ts";
import { MerkleHasher } from "../../src/transparency/merkle.ts";
import { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import type { Measure } from "../bench.ts";
import { receiptNames } from "../targets.ts";

const receipts = 20_000;
const turn = 20;
const body = new TextEncoder().encode("a".repeat(1_024));

/**
 * What the evidence adds to a request: canonical JSON instead of the plain one, the keyed digests of 1 KB in and 1 KB out,
 * and the tree with its signatures. The row in the journal itself is not in it: that was there before.
 */
export const receiptCost: Measure = {
  name: "receipts",
  rounds: (settings) => settings.rounds,
  async run({ children, results }, round) {
    const read = await readLogKeys(JSON.stringify(newLogKey(0)), hashes.sha256Bytes);
    if (!read.ok) throw new TypeError(read.problem);
    const key = hashes.sha256Bytes(body);
    const digest = (): string => {
      const begun = hashes.keyedDigest(key);
      begun.update(body);
      return begun.hex();
    };
    const plain = cpuOf((number) => JSON.stringify(receiptNumber(number)));
    const canonical = cpuOf((number) => canonicalJson(receiptNumber(number))) - plain;
    const digests = cpuOf(() => digest() + digest());

    const database = new SqliteDatabase(`${children.scratch()}/ledger.sqlite`, {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: true,
      checkpointThread: false,
    });
    database.transact(() => migrate(database, "ledger", ledgerMigrations));
    const hasher = new MerkleHasher(hashes.sha256Bytes);
    const journal = new SqlJournal(database, hasher);
    for (let number = 0; number < receipts; number += turn)
      database.transact(() => {
        for (let offset = 0; offset < turn; offset += 1) journal.append(receiptNumber(number + offset));
      });
    const tree = new SqlTree(database, hasher);
    const log = new TransparencyLog(
      {
        origin: async () => tree.origin(),
        size: async () => tree.size(),
        integrate: async (most) => database.transact(() => tree.integrate(most)),
        tile: async (level, index) => tree.tile(level, index),
        place: async (tenantId, requestId) => tree.place(tenantId, requestId),
        entries: async (from, count) => tree.entries(from, count),
        checkpoint: async (size) => tree.checkpoint(size),
        keepCheckpoint: async (checkpoint) => database.transact(() => tree.keepCheckpoint(checkpoint)),
      },
      read.keys,
      { nowMs: () => 0 },
      hashes.sha256Bytes,
    );
    const before = process.cpuUsage();
    await log.advance();
    const { user, system } = process.cpuUsage(before);
    database.close();
    const treeMicros = (user + system) / receipts;
    results.add("receipts", receiptNames.canonical, round, canonical);
    results.add("receipts", receiptNames.digests, round, digests);
    results.add("receipts", receiptNames.tree, round, treeMicros);
    results.add("receipts", receiptNames.all, round, canonical + digests + treeMicros);
  },
};

/** Microseconds of CPU for one, after a tenth of them have warmed the code. */
function cpuOf(run: (number: number) => string): number {
  let length = 0;
  for (let number = 0; number < receipts / 10; number += 1) length += run(number).length;
  const before = process.cpuUsage();
  for (let number = 0; number < receipts; number += 1) length += run(number).length;
  const { user, system } = process.cpuUsage(before);
  if (length === 0) throw new TypeError("nothing was written");
  return (user + system) / receipts;
}

const fact = { asOf: "2026-11-01T00:00:00Z", contradictedBy: [], value: "SG" };

/** One object for all of a tenant's receipts, as decisions have it. */
const tenant = writtenOnce({
  state: "verified",
  verifiedUntil: null,
  name: "Bench Pte Ltd",
  identifiers: [],
  registeredCountry: fact,
  headquartersCountry: fact,
  ultimateParentCountry: fact,
  endUse: { ...fact, value: "software" },
  audience: { ...fact, value: "internal" },
  ownership: null,
  tiers: ["frontier"],
  allowCountries: null,
  denyCountries: [],
  leastEvidence: null,
} as const);
const refused = writtenOnce([
  { rule: "own-jurisdiction", reason: "it may be processed in SG", deployments: ["southeastasia/gpt-4.1"] },
]);
const rules = writtenOnce(["weights-stay-out", "own-jurisdiction", "tiers"]);

function receiptNumber(number: number): Receipt {
  return {
    schema: "strait.receipt.v2",
    requestId: `req_${number.toString(16).padStart(32, "0")}`,
    tenantId: "bench",
    legalEntity: "Bench Pte Ltd",
    keyId: "k3v9x0aa",
    dialect: "openai",
    surface: "chat.completions",
    modelAsked: "gpt-4.1",
    model: "gpt-4.1",
    requestDigest: `hmac-sha256:${"0".repeat(64)}`,
    answerDigest: `hmac-sha256:${"1".repeat(64)}`,
    deployment: "swedencentral/gpt-4.1",
    region: "swedencentral",
    endpointHost: "swedencentral.openai.example",
    sku: "Standard",
    countries: "SE",
    evidence: {
      region: "Sweden Central",
      inferenceGeo: undefined,
      servedModel: "gpt-4.1-2025-04-14",
      upstreamRequestId: `up-${number}`,
    },
    evidenceGrade: "contractual-geography",
    policyVersion: "2026-11",
    policyDigest: "2".repeat(64),
    catalogueDigest: "3".repeat(64),
    inputs: {
      atMs: number,
      model: "gpt-4.1",
      surface: "chat.completions",
      request: { hostedTools: [], logProbabilities: "none", endUserNationality: null },
      tenant,
    },
    candidatesRefused: refused,
    rules,
    gatewayPlace: "rack 7",
    attempts: [
      {
        deployment: "swedencentral/gpt-4.1",
        countries: "SE",
        startedAtMs: number,
        endedAtMs: number,
        status: 200,
        outcome: "answered",
      },
    ],
    stream: false,
    status: 200,
    end: "completed",
    usage: { inputTokens: 250, cachedInputTokens: 0, cacheWriteTokens: undefined, outputTokens: 120, reasoningTokens: 0 },
    usageSource: "reported",
    heldTokens: 4_400,
    heldMicroUsd: 33_000,
    chargedTokens: 370,
    costMicroUsd: 1_460,
    responseId: undefined,
    traceId: "4".repeat(32),
    startedAtMs: number,
    firstByteAtMs: number,
    endedAtMs: number,
  };
}
