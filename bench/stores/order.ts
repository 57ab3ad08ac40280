/** What a process that uses a store is told to open. */
export interface StoreOrder {
  readonly kind: "sqlite" | "valkey";
  /** A folder, or an address. */
  readonly place: string;
  /** With counters in the store, each with a key of its own. */
  readonly tenants: number;
}

export interface StoreLoad {
  /** How many of the tenants ask, in turn; the others just lie there. */
  readonly calling: number;
  readonly forMs: number;
}

export interface StoreCost {
  /** Reservations that were placed and settled. */
  readonly pairs: number;
  /** Of the process that asks, in all its threads. */
  readonly cpuMs: number;
  readonly elapsedMs: number;
  /** Calls that the server was sent, and how many pieces they came in: 0 where the store is in the process. */
  readonly calls: number;
  readonly pieces: number;
}
