import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

/** One who writes receipts: a process, which shares with others of its data directory what is held and what waits in files. */
export interface JournalWriter {
  /** The same after a restart. */
  readonly id: string;
  /** Those of the data directory that died, and which this one speaks for beside itself. */
  dead(): readonly string[];
  /** The same, none of which can start before `work` is done. */
  whileDead<T>(work: (ids: readonly string[]) => Promise<T>): Promise<T>;
  /** Whether anything is open in the data directory, of whichever process. */
  holdsRequests(): Promise<boolean>;
  /** Every request that began before this time, as this writer admits them, has been handed to the journal. */
  handedOverUntilMs(): Promise<number>;
  /** Whether receipts wait on this machine for the journal. */
  receiptsWait(): boolean;
}

const beat: Statement = {
  name: "writer-beat-with-dead",
  text: `WITH dead AS (
      UPDATE strait.journal_writer SET complete_until_ms = coalesce($2::bigint, complete_until_ms), seen_at = now()
      WHERE id = ANY ($3::text[])
    )
    INSERT INTO strait.journal_writer (id, complete_until_ms) VALUES ($1, coalesce($2::bigint, 0))
    ON CONFLICT (id) DO UPDATE SET complete_until_ms = coalesce($2::bigint, journal_writer.complete_until_ms), seen_at = now()`,
};

const leave: Statement = {
  name: "writer-leave",
  text: "DELETE FROM strait.journal_writer WHERE id = ANY ($1::text[])",
};

const complete: Statement = {
  name: "writer-complete",
  text: `SELECT min(complete_until_ms) AS until_ms FROM strait.journal_writer WHERE seen_at > now() - interval '24 hours'`,
};

const everyMs = 5_000;

/**
 * Up to where the journal is complete, whichever machine the receipts come from: each writer tells up to where it has
 * handed over, and the least of them counts. One that died holds it back until it is back, or for a day: its receipts may
 * wait on its disk, and a cursor must not pass them.
 */
export class PostgresWriters {
  readonly #pool: PostgresPool;
  readonly #writer: JournalWriter;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | undefined;
  #beating: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(pool: PostgresPool, writer: JournalWriter, clock: Clock, log: Log) {
    this.#pool = pool;
    this.#writer = writer;
    this.#clock = clock;
    this.#log = log;
  }

  /** Tells where this writer is, now and from here on every few seconds. */
  async start(): Promise<void> {
    await this.beat();
    if (!this.#closed) this.#cancel = this.#clock.after(everyMs, () => void this.#again());
  }

  /** The journal's end as all writers see it. @throws {StoreUnavailable} where PostgreSQL is away. */
  async completeUntilMs(): Promise<number> {
    // What this machine has handed over since its last word need not be waited for.
    await this.beat();
    const [row] = await this.#pool.repeatable<{ until_ms: string | null }>(complete, []);
    return row?.until_ms === null || row === undefined ? 0 : Number(row.until_ms);
  }

  /** One after the other: an earlier word that came in later would take back what was told. */
  async beat(): Promise<void> {
    const told = this.#beating.then(() => this.#tell());
    this.#beating = told.catch(() => undefined);
    await told;
  }

  /** The end, when this writer admits nothing more: where nothing of it is missing, nobody waits for it from here on. */
  async leave(): Promise<void> {
    await this.close();
    try {
      await this.#writer.whileDead(async (dead) => {
        // In this order: a request that is open no more has its receipt in the journal, or in a file.
        if ((await this.#writer.holdsRequests()) || this.#writer.receiptsWait()) return;
        await this.#pool.repeatable(leave, [[this.#writer.id, ...dead]]);
      });
    } catch (error) {
      // It stays on the list, as one that may still have something to tell.
      this.#log.warn("the journal could not be told that this gateway stopped", { error: String(error) });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#beating;
  }

  async #tell(): Promise<void> {
    // In this order: who is dead now leaves no more behind, and a request that is held no more is in the journal already,
    // or its receipt waits in a file.
    const dead = this.#writer.dead();
    const untilMs = await this.#writer.handedOverUntilMs();
    const wait = this.#writer.receiptsWait();
    // Receipts that wait hold it where it was.
    await this.#pool.repeatable(beat, [this.#writer.id, wait ? null : untilMs, dead]);
  }

  async #again(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (!(error instanceof StoreUnavailable))
        this.#log.error("how far the journal is complete could not be told", { error: String(error) });
      if (!this.#closed) this.#cancel = this.#clock.after(everyMs, () => void this.#again());
    }
  }
}
