import { isForgettable, joinOrders, type RevocationOrder } from "../../revocation/order.ts";
import { replicaLifeMs, type Acknowledgement, type Replica } from "../../revocation/path.ts";
import type { SqlDatabase } from "./database.ts";

interface DocumentRow {
  readonly document: string;
}

/** Orders, acknowledgements and replicas in SQLite. Whoever owns the database puts a transaction around what writes. */
export class SqlRevocations {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  read(): RevocationOrder[] {
    return this.#documents<RevocationOrder>("SELECT document FROM revocation");
  }

  write(order: RevocationOrder, nowMs: number): void {
    const [known] = this.#documents<RevocationOrder>("SELECT document FROM revocation WHERE id = ?", order.id);
    const joined = known === undefined ? order : joinOrders(known, order);
    this.#database.run(
      "INSERT INTO revocation (id, document) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document",
      order.id,
      JSON.stringify(joined),
    );
    for (const { id } of this.read().filter((one) => isForgettable(one, nowMs))) {
      this.#database.run("DELETE FROM revocation WHERE id = ?", id);
      this.#database.run("DELETE FROM acknowledgement WHERE order_id = ?", id);
    }
  }

  acknowledge(acknowledgements: readonly Acknowledgement[]): void {
    for (const acknowledgement of acknowledgements) {
      this.#database.run(
        "INSERT INTO acknowledgement (order_id, replica_id, document) VALUES (?, ?, ?) ON CONFLICT (order_id, replica_id) DO UPDATE SET document = excluded.document",
        acknowledgement.orderId,
        acknowledgement.replica.id,
        JSON.stringify(acknowledgement),
      );
    }
  }

  acknowledgements(orderId: string): Acknowledgement[] {
    return this.#documents<Acknowledgement>("SELECT document FROM acknowledgement WHERE order_id = ?", orderId);
  }

  beat(replica: Replica, nowMs: number): number {
    this.#database.run("DELETE FROM replica WHERE beat_at_ms < ?", nowMs - replicaLifeMs);
    this.#database.run(
      "INSERT INTO replica (id, beat_at_ms, document) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET beat_at_ms = excluded.beat_at_ms",
      replica.id,
      nowMs,
      JSON.stringify(replica),
    );
    return nowMs;
  }

  replicas(nowMs: number): Replica[] {
    return this.#documents<Replica>("SELECT document FROM replica WHERE beat_at_ms >= ?", nowMs - replicaLifeMs);
  }

  #documents<Document>(sql: string, ...parameters: readonly (string | number)[]): Document[] {
    return this.#database.all<DocumentRow>(sql, ...parameters).map(({ document }) => JSON.parse(document) as Document);
  }
}
