import type { Log } from "../../log.ts";
import { orderKeptMs, type RevocationOrder } from "../../revocation/order.ts";
import { replicaLifeMs, type Acknowledgement, type Replica, type RevocationPath } from "../../revocation/path.ts";
import { monotonicClock } from "./clock.ts";
import { PostgresListener } from "./postgres-listener.ts";
import { PostgresPool, type Statement } from "./postgres-pool.ts";
import { revocationChannel } from "./postgres-schema.ts";
import { storableJson } from "./postgres-text.ts";

/** Connections of their own: what revokes must not wait behind receipts. */
const connections = 2;
const answerMs = 2_000;
/** A connection that no longer hears is found out within half of it. Meanwhile the database is asked. */
const listenerStalenessMs = 4_000;

const read: Statement = { name: "revocation-read", text: "SELECT document FROM strait.revocation" };

/** Keeps the order, forgets those that ended long ago, and tells the other replicas, all in one. */
const write: Statement = {
  name: "revocation-write",
  text: `WITH written AS (
      INSERT INTO strait.revocation AS kept (id, document) VALUES ($1, $2::jsonb)
      ON CONFLICT (id) DO UPDATE SET document = excluded.document
        WHERE excluded.document ? 'restored' AND (NOT kept.document ? 'restored'
          OR (excluded.document #>> '{restored,atMs}')::bigint < (kept.document #>> '{restored,atMs}')::bigint)
      RETURNING id
    ), forgotten AS (
      DELETE FROM strait.revocation
      WHERE id <> $1 AND coalesce((document #>> '{restored,atMs}')::bigint, (document ->> 'expiresAtMs')::bigint)
        < extract(epoch FROM now()) * 1000 - $3
      RETURNING id
    ), silenced AS (
      DELETE FROM strait.acknowledgement WHERE order_id IN (SELECT id FROM forgotten)
    )
    SELECT pg_notify('${revocationChannel}', id) FROM written`,
};

const acknowledge: Statement = {
  name: "revocation-acknowledge",
  text: `INSERT INTO strait.acknowledgement (order_id, replica_id, document)
    SELECT document ->> 'orderId', document #>> '{replica,id}', document FROM unnest($1::jsonb[]) AS told (document)
    ON CONFLICT (order_id, replica_id) DO UPDATE SET document = excluded.document`,
};

const acknowledgements: Statement = {
  name: "revocation-acknowledgements",
  text: "SELECT document FROM strait.acknowledgement WHERE order_id = $1",
};

const beat: Statement = {
  name: "replica-beat",
  text: `WITH dead AS (DELETE FROM strait.replica WHERE id <> $1 AND beat_at < now() - $3 * interval '1 millisecond')
    INSERT INTO strait.replica (id, document, beat_at) VALUES ($1, $2::jsonb, now())
    ON CONFLICT (id) DO UPDATE SET beat_at = now() RETURNING (extract(epoch FROM now()) * 1000)::bigint AS at_ms`,
};

const living: Statement = {
  name: "replica-living",
  text: "SELECT document FROM strait.replica WHERE beat_at >= now() - $1 * interval '1 millisecond'",
};

/** Orders in PostgreSQL, whose schema is up to date already; each is told to every replica as it is committed. */
export function openPostgresRevocations(url: string, log: Log): RevocationPath & { close(): Promise<void> } {
  const pool = new PostgresPool(url, connections, log, answerMs);
  let listener: PostgresListener | undefined;
  const documents = async <Document>(statement: Statement, values: readonly unknown[]): Promise<Document[]> =>
    (await pool.repeatable<{ document: Document & object }>(statement, values)).map(({ document }) => document);
  const run = async (statement: Statement, values: readonly unknown[]): Promise<void> => {
    await pool.repeatable(statement, values);
  };
  return {
    name: "postgres",
    shared: true,
    read: () => documents<RevocationOrder>(read, []),
    write: (order) => run(write, [order.id, storableJson(order), orderKeptMs]),
    acknowledge: (told) => run(acknowledge, [told.map(storableJson)]),
    acknowledgements: (orderId) => documents<Acknowledgement>(acknowledgements, [orderId]),
    async beat(replica) {
      const [row] = await pool.repeatable<{ at_ms: string }>(beat, [replica.id, storableJson(replica), replicaLifeMs]);
      return Number(row?.at_ms);
    },
    replicas: () => documents<Replica>(living, [replicaLifeMs]),
    watch(wake) {
      const options = { url, channel: revocationChannel, stalenessMs: listenerStalenessMs, onMessage: wake };
      const opened = new PostgresListener({ ...options, hears: "revocations" }, monotonicClock, log);
      listener = opened;
      void opened.connect();
      return () => opened.close();
    },
    async close() {
      listener?.close();
      await pool.close();
    },
  };
}
