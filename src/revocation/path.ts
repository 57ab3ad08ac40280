import type { RevocationOrder } from "./order.ts";

/** One process or isolate that serves requests. */
export interface Replica {
  readonly id: string;
  /** For people: machine and process, or data centre. */
  readonly name: string;
  /** Milliseconds since the Unix epoch, by its own clock. */
  readonly startedAtMs: number;
}

/** What one replica says of one order; a later one replaces an earlier one. Times in milliseconds since the Unix epoch, by the replica's clock. */
export interface Acknowledgement {
  readonly orderId: string;
  readonly replica: Replica;
  /** From when on nothing that the order hits was admitted. */
  readonly learnedAtMs: number;
  /** The path that told it first, or `here` on the replica that the order was given to. */
  readonly learnedBy: string;
  /** Open exchanges that it cut, and how many of them have ended. */
  readonly cut: number;
  readonly ended: number;
  /** When the last of them was sent its last byte; `undefined` while none has ended. */
  readonly lastByteAtMs: number | undefined;
}

/**
 * A way on which orders reach every replica. There may be several, and each must do alone: an order is written to all
 * that can be reached and taken from whichever tells of it first. Adapters: SQLite, PostgreSQL, Valkey, Durable Objects.
 *
 * Everything may be repeated. Whatever fails rejects, within a few seconds.
 */
export interface RevocationPath {
  /** Stands in acknowledgements and logs. */
  readonly name: string;
  /** Whether other machines write to it: of one that only this machine has, silence means nothing. */
  readonly shared: boolean;
  /** All orders that are kept, restored and expired ones as well: what was written before this was called is in it. */
  read(): Promise<readonly RevocationOrder[]>;
  /** Keeps an order; where it has one of the same id, what both come to by `joinOrders`. */
  write(order: RevocationOrder): Promise<void>;
  acknowledge(acknowledgements: readonly Acknowledgement[]): Promise<void>;
  acknowledgements(orderId: string): Promise<readonly Acknowledgement[]>;
  /** Says that a replica lives, for `replicaLifeMs`. Resolves with the store's own clock, in milliseconds since the Unix epoch. */
  beat(replica: Replica): Promise<number>;
  /** The replicas that live, by the store's own clock. */
  replicas(): Promise<readonly Replica[]>;
  /**
   * Calls back soon after somebody wrote an order. Only a hint: it may come late, twice, for nothing or not at all, since
   * whoever follows a path also reads it from time to time. The returned function ends it.
   */
  watch(wake: () => void): () => void;
}

/** A replica says four times as often that it lives. */
export const replicaLifeMs = 8_000;
