import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { auditLog } from "../../src/transparency/audit-log.ts";
import { base64 } from "../../src/base64.ts";
import { openCheckpoint, type Checkpoint } from "../../src/transparency/checkpoint.ts";
import { verifyConsistencyProof } from "../../src/transparency/consistency-proof.ts";
import { deletionText } from "../../src/transparency/deletion-statement.ts";
import { publishedKeys, readPublicKeys, type LogKey } from "../../src/transparency/log-keys.ts";
import { GrowingRoot, MerkleHasher } from "../../src/transparency/merkle.ts";
import { verifyReceiptProof, type ReceiptProof } from "../../src/transparency/receipt-proof.ts";
import type { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { receipt } from "../stores/samples.ts";
import { sqliteWorld } from "../stores/sqlite-world.ts";
import type { LogWorld } from "../stores/store-world.ts";
import { logKeys, logOf, newKey, publicKeys, refusal, type Jwk } from "./log-fixture.ts";

const { sha256Bytes } = hashes;

/** Each byte with each of its bits turned, and with all of them, as whoever reads the file gets it: as text. */
function* flipped(text: string): Generator<readonly [where: number, spoiled: string]> {
  const bytes = Buffer.from(text);
  for (let index = 0; index < bytes.length; index += 1) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const spoiled = Buffer.from(bytes);
      spoiled[index] = (spoiled[index] ?? 0) ^ mask;
      yield [index, spoiled.toString()];
    }
  }
}

/** The bytes of which a change goes unnoticed. */
async function unnoticed(text: string, holds: (spoiled: string) => Promise<boolean>): Promise<readonly number[]> {
  expect(await holds(text)).toBe(true);
  const missed = new Set<number>();
  for (const [where, spoiled] of flipped(text)) if (await holds(spoiled)) missed.add(where);
  return [...missed];
}

/** What a receipt holds that nests: lists, numbers of every size, letters beyond ASCII. */
const rich = {
  legalEntity: "Große Aktiengesellschaft 有限公司",
  candidatesRefused: [{ rule: "offshore-only", reason: 'may process in "CN"', deployments: ["a/b", "c/d"] }],
  requestDigest: `hmac-sha256:${"0f".repeat(32)}`,
  startedAtMs: 1_795_674_436_247,
  costMicroUsd: 0,
  degradations: [{ rule: "smaller", codes: [], toModel: "model-b" }],
};

const key: Jwk = await newKey();
const keys: readonly LogKey[] = publicKeys(key);

describe("a byte that is flipped", () => {
  let world: LogWorld;
  let log: TransparencyLog;
  beforeEach(async () => {
    world = sqliteWorld(1);
    log = await logOf(world, key);
    for (let index = 0; index < 5; index += 1) await world.journal.append(receipt(`r${index}`, rich));
    await world.refusals.append(refusal("no"));
    await log.advance();
  });
  afterEach(() => world.close());

  async function proofOf(requestId: string): Promise<ReceiptProof> {
    const proof = await log.prove("acme", requestId);
    if (typeof proof === "string") throw new Error(proof);
    return proof;
  }

  async function opened(note: string): Promise<Checkpoint> {
    const read = await openCheckpoint(note, keys, sha256Bytes);
    if (!read.ok) throw new Error(read.problem);
    return read.checkpoint;
  }

  it.each([
    ["a receipt's", "r2", undefined],
    ["a receipt's, as `strait receipt get` prints it", "r4", 2],
    ["a refusal's", "no", undefined],
  ])("breaks %s proof: receipt, place, siblings, checkpoint and signature", async (_whose, requestId, indent) => {
    const file = JSON.stringify(await proofOf(requestId), undefined, indent);
    expect(await unnoticed(file, async (text) => (await verifyReceiptProof(text, keys, sha256Bytes)).ok)).toEqual([]);
  });

  it("breaks a checkpoint's note: name, size, root, time, key and signature", async () => {
    const { note } = await log.advance();
    expect(await unnoticed(note, async (text) => (await openCheckpoint(text, keys, sha256Bytes)).ok)).toEqual([]);
  });

  it("breaks a proof that the log only grew", async () => {
    const earlier = await log.advance();
    for (let index = 0; index < 6; index += 1) await world.journal.append(receipt(`s${index}`));
    const later = await log.advance();
    const [before, after] = [await opened(earlier.note), await opened(later.note)];
    const file = JSON.stringify(await log.consistency(before.size));
    const holds = async (text: string): Promise<boolean> =>
      (await verifyConsistencyProof(text, before, after, keys, sha256Bytes)).ok;
    expect(await unnoticed(file, holds)).toEqual([]);
  });

  it("breaks a statement of what was deleted, for whoever audits the log", async () => {
    const hasher = new MerkleHasher(sha256Bytes);
    const gone = "{}";
    const statement = deletionText({
      schema: "strait.deletion.v1",
      retentionClass: "receipts-six-months",
      beforeMs: 1_795_000_000_000,
      policyVersion: "2026-11-25.1",
      policyDigest: "0f".repeat(32),
      deletedAtMs: 1_795_674_436_247,
      leaves: [[0, 1]],
    });
    const root = new GrowingRoot(hasher);
    for (const text of [gone, statement]) root.add(hasher.leafOfText(text));
    const checkpoint = { origin: "strait/a", size: 2, root: root.root(), atMs: 0 };
    const [goneHash, statementHash] = [gone, statement].map((text) => base64(hasher.leafOfText(text)));
    const problems = async (document: string): Promise<readonly string[]> => {
      const entries = [
        { leafIndex: 0, document: null, leafHash: goneHash ?? "", forgotten: "receipts-six-months" },
        { leafIndex: 1, document, leafHash: statementHash ?? "", forgotten: null },
      ].map((entry) => ({ ...entry, droppedBefore: 0, inJournal: "same" as const }));
      return (await auditLog(pageOf(entries), [checkpoint], sha256Bytes)).problems;
    };
    expect(await unnoticed(statement, async (text) => (await problems(text)).length === 0)).toEqual([]);
  });

  it("of the published keys breaks every proof, but in the dates that nothing else says", async () => {
    const dated = { ...key, validFrom: "2026-01-01T00:00:00.000Z", validUntil: "2027-01-01T00:00:00.000Z" };
    const file = JSON.stringify(publishedKeys(await logKeys(dated)));
    const proof = JSON.stringify(await proofOf("r1"));
    const holds = async (text: string): Promise<boolean> => {
      const read = readPublicKeys(text, sha256Bytes);
      return read.ok && (await verifyReceiptProof(proof, read.keys, sha256Bytes)).ok;
    };
    const missed = await unnoticed(file, holds);
    const dates = [...file.matchAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g)].map(({ index, 0: text }) => [index, index + text.length]);
    expect(dates).toHaveLength(2);
    // A longer or shorter time is as good a statement as the right one: the file is to be kept from a day when it was trusted.
    expect(missed.filter((where) => !dates.some(([from = 0, to = 0]) => where >= from && where < to))).toEqual([]);
    expect(missed.length).toBeGreaterThan(0);
  });
});

async function* pageOf<Entry>(entries: readonly Entry[]): AsyncGenerator<readonly Entry[]> {
  yield entries;
}
