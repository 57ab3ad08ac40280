import { joinOrders, type RevocationOrder } from "../../src/revocation/order.ts";
import type { Acknowledgement, Replica, RevocationPath } from "../../src/revocation/path.ts";

/** A shared store in a test's hands: one that can be away, hang, or say nothing by itself. */
export class MemoryPath implements RevocationPath {
  readonly name: string;
  readonly shared: boolean;
  readonly orders: Map<string, RevocationOrder> = new Map();
  readonly told: Map<string, Acknowledgement> = new Map();
  readonly living: Map<string, Replica> = new Map();
  away: "no" | "refuses" | "hangs" = "no";
  silent = false;
  /** Its clock; ahead of every other one by itself. */
  nowMs: () => number = () => Number.POSITIVE_INFINITY;
  readonly #watching = new Set<() => void>();

  constructor(name: string, shared = true) {
    this.name = name;
    this.shared = shared;
  }

  async read(): Promise<readonly RevocationOrder[]> {
    await this.#reach();
    return [...this.orders.values()];
  }

  async write(order: RevocationOrder): Promise<void> {
    await this.#reach();
    this.orders.set(order.id, joinOrders(this.orders.get(order.id) ?? order, order));
    if (!this.silent) for (const wake of this.#watching) wake();
  }

  async acknowledge(acknowledgements: readonly Acknowledgement[]): Promise<void> {
    await this.#reach();
    for (const one of acknowledgements) this.told.set(`${one.orderId} ${one.replica.id}`, one);
  }

  async acknowledgements(orderId: string): Promise<readonly Acknowledgement[]> {
    await this.#reach();
    return [...this.told.values()].filter((one) => one.orderId === orderId);
  }

  async beat(replica: Replica): Promise<number> {
    await this.#reach();
    this.living.set(replica.id, replica);
    return this.nowMs();
  }

  async replicas(): Promise<readonly Replica[]> {
    await this.#reach();
    return [...this.living.values()];
  }

  watch(wake: () => void): () => void {
    this.#watching.add(wake);
    return () => void this.#watching.delete(wake);
  }

  #reach(): Promise<void> {
    if (this.away === "hangs") return new Promise(() => undefined);
    return this.away === "refuses" ? Promise.reject(new Error(`${this.name} is away`)) : Promise.resolve();
  }
}
