import type { Clock } from "../clock.ts";
import type { Sha256Bytes } from "../hashes.ts";
import type { ShownEntry } from "./audit-log.ts";
import { base64 } from "../base64.ts";
import { openCheckpoint, signCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { ConsistencyProof } from "./consistency-proof.ts";
import type { LogKeys } from "./log-keys.ts";
import type { LogPlace, LogStore, StoredCheckpoint } from "./log-store.ts";
import { MerkleHasher } from "./merkle.ts";
import { proofFormat, type ReceiptProof } from "./receipt-proof.ts";
import { Tree } from "./tree.ts";
import { verifyConsistency } from "./verify-proof.ts";

/** A signature covers so many entries at the most. */
const checkpointEntries = 1_000;
/** Some two milliseconds of work, for which every stream of this process waits. */
const integrateBatch = 250;

/** A proof, or why there is none. */
export type Proved = ReceiptProof | Exclude<LogPlace["kind"], "in_tree" | "waiting">;

/** Thrown where no key is valid: an operator has to give the log one. */
export class NoSigningKey extends Error {
  override readonly name = "NoSigningKey";

  constructor() {
    super("No key of the log is valid now. Add one to STRAIT_LOG_KEY.");
  }
}

/** Thrown where the tree is not what was signed and more: whoever can write to the store must not have that signed as well. */
export class LogForked extends Error {
  override readonly name = "LogForked";

  constructor({ size, atMs }: Checkpoint) {
    super(
      `The log does not begin with the ${size} entries that were signed at ${new Date(atMs).toISOString()}: it was changed or set back. Nothing is signed before that is put right; strait log audit shows what is wrong.`,
    );
  }
}

/** Thrown where the log was last signed by a key that this process does not know: nobody could tell then whether it is the same. */
export class UnknownSigner extends Error {
  override readonly name = "UnknownSigner";

  constructor({ size }: StoredCheckpoint) {
    super(
      `The log's newest checkpoint, of ${size} entries, is signed by no key of STRAIT_LOG_KEY, so nothing is signed after it. Add the key that signed it; without its private part will do, as in a published key set that was kept.`,
    );
  }
}

export class TransparencyLog {
  readonly #store: LogStore;
  readonly #keys: LogKeys;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #sha256: Sha256Bytes;
  readonly #hasher: MerkleHasher;
  /** What this process signed last, or found signed by a key of its own when it began. */
  #last: Checkpoint | undefined;
  #advancing: Promise<StoredCheckpoint> | undefined;
  #next: Promise<StoredCheckpoint> | undefined;

  constructor(store: LogStore, keys: LogKeys, clock: Pick<Clock, "nowMs">, sha256: Sha256Bytes) {
    this.#store = store;
    this.#keys = keys;
    this.#clock = clock;
    this.#sha256 = sha256;
    this.#hasher = new MerkleHasher(sha256);
  }

  /**
   * Takes all that was written before the call into the tree, and signs it. To be called every second, and where somebody
   * waits. Calls that come while one is at work share the one after it: that one alone is sure to see what they wrote.
   */
  advance(): Promise<StoredCheckpoint> {
    if (this.#advancing === undefined) return this.#begin();
    this.#next ??= this.#advancing
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /** The newest checkpoint, made where there is none yet. */
  async checkpoint(): Promise<StoredCheckpoint> {
    return (await this.#store.checkpoint()) ?? this.advance();
  }

  /** A request's receipt with its proof; waits for the next checkpoint where the newest does not cover it. */
  async prove(tenantId: string, requestId: string): Promise<Proved> {
    let place = await this.#store.place(tenantId, requestId);
    let checkpoint = await this.#store.checkpoint();
    if (place.kind === "waiting" || (place.kind === "in_tree" && place.leafIndex >= (checkpoint?.size ?? 0))) {
      checkpoint = await this.advance();
      place = await this.#store.place(tenantId, requestId);
    }
    if (place.kind === "waiting") throw new Error("a receipt that was written did not come into the tree");
    if (place.kind !== "in_tree" || checkpoint === undefined) return place.kind === "before_log" ? "before_log" : "absent";
    return {
      format: proofFormat,
      receipt: JSON.parse(place.document) as ReceiptProof["receipt"],
      leafIndex: place.leafIndex,
      inclusion: (await this.#tree(checkpoint.size).inclusion(place.leafIndex)).map(base64),
      checkpoint: checkpoint.note,
    };
  }

  /**
   * Shows that the tree of `size` entries is the beginning of what it was at the checkpoint of `laterSize`, or else is now;
   * `undefined` where it was not signed at these sizes.
   */
  async consistency(size: number, laterSize?: number): Promise<ConsistencyProof | undefined> {
    const earlier = await this.#store.checkpoint(size);
    const later = laterSize === undefined ? await this.checkpoint() : await this.#store.checkpoint(laterSize);
    if (earlier?.size !== size || later === undefined || size > later.size) return undefined;
    if (laterSize !== undefined && later.size !== laterSize) return undefined;
    const proof = await this.#tree(later.size).consistency(size);
    return { earlier: earlier.note, later: later.note, consistency: proof.map(base64) };
  }

  /** Entries beside the leaf hashes that the tree has for them, from `from` on, for whoever audits the log. */
  async shown(from: number, count: number): Promise<readonly ShownEntry[]> {
    const entries = await this.#store.entries(from, count);
    const tree = this.#tree(await this.#store.size());
    return Promise.all(
      entries.map(async ({ leafIndex, document, forgotten, droppedBefore, inJournal }) => ({
        leafIndex,
        document: document ?? null,
        leafHash: base64(await tree.leaf(leafIndex)),
        forgotten: forgotten ?? null,
        droppedBefore: droppedBefore ?? null,
        inJournal,
      })),
    );
  }

  async #begin(): Promise<StoredCheckpoint> {
    this.#advancing = this.#advance().finally(() => (this.#advancing = undefined));
    return this.#advancing;
  }

  async #advance(): Promise<StoredCheckpoint> {
    let signed = await this.#store.checkpoint();
    if (signed !== undefined) this.#last ??= await this.#opened(signed);
    for (;;) {
      const taken = await this.#store.integrate(integrateBatch);
      const size = await this.#store.size();
      const isDue = taken < integrateBatch || size - (signed?.size ?? 0) >= checkpointEntries;
      if (isDue && size !== signed?.size) {
        if (signed !== undefined && this.#last === undefined) throw new UnknownSigner(signed);
        signed = await this.#sign(size);
      }
      if (taken < integrateBatch && signed !== undefined) return signed;
    }
  }

  async #sign(size: number): Promise<StoredCheckpoint> {
    const atMs = this.#clock.nowMs();
    const key = this.#keys.signerAt(atMs);
    if (key === undefined) throw new NoSigningKey();
    const [origin, root] = await Promise.all([this.#store.origin(), this.#tree(size).root()]);
    const checkpoint: Checkpoint = { origin, size, root, atMs };
    if (this.#last !== undefined && !(await this.#hasGrown(this.#last, checkpoint))) throw new LogForked(this.#last);
    const note = await signCheckpoint(checkpoint, key, this.#sha256);
    await this.#store.keepCheckpoint({ size, atMs, note });
    this.#last = checkpoint;
    return { size, atMs, note };
  }

  async #hasGrown(earlier: Checkpoint, later: Checkpoint): Promise<boolean> {
    if (earlier.origin !== later.origin || earlier.size > later.size) return false;
    const path = earlier.size === later.size ? [] : await this.#tree(later.size).consistency(earlier.size);
    return verifyConsistency(earlier, later, path, this.#hasher);
  }

  /** Nothing where no key of this process signed it: anybody who can write to the store may have put it there. */
  async #opened({ note }: StoredCheckpoint): Promise<Checkpoint | undefined> {
    const opened = await openCheckpoint(note, this.#keys.keys, this.#sha256);
    return opened.ok ? opened.checkpoint : undefined;
  }

  #tree(size: number): Tree {
    return new Tree(size, (level, index) => this.#store.tile(level, index), this.#hasher);
  }
}
