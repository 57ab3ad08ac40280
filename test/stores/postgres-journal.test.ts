import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { silent } from "./postgres-world.ts";
import { receipt } from "./samples.ts";

describeOnPostgres("the journal in PostgreSQL", () => {
  let server: PostgresServer;
  let address: string;
  let stores: PostgresStores;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    address = await server.createDatabase();
    stores = await openPostgresStores(address, systemClock, silent);
  });
  afterEach(() => stores.close());

  const count = async (): Promise<number> => {
    const [row] = await server.query<{ count: number }>("SELECT count(*)::int AS count FROM strait.receipt", [], address);
    return row?.count ?? 0;
  };

  /** Counts statements, whatever they insert. */
  const countStatements = async (): Promise<() => Promise<number>> => {
    await server.query("CREATE TABLE statements (at timestamptz DEFAULT now())", [], address);
    await server.query(
      "CREATE FUNCTION count_one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO statements DEFAULT VALUES; RETURN NULL; END'",
      [],
      address,
    );
    await server.query(
      "CREATE TRIGGER counting AFTER INSERT ON strait.receipt FOR EACH STATEMENT EXECUTE FUNCTION count_one()",
      [],
      address,
    );
    return async () => (await server.query("SELECT 1 FROM statements", [], address)).length;
  };

  it("writes all that one turn of the event loop asks for in one statement", async () => {
    const statements = await countStatements();
    await Promise.all(Array.from({ length: 200 }, (_, place) => stores.journal.append(receipt(`r${place}`))));
    expect(await count()).toBe(200);
    expect(await statements()).toBe(1);
  });

  it("gathers what comes while the server is slow, and writes it in few statements", async () => {
    const statements = await countStatements();
    await server.query(
      "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END'",
      [],
      address,
    );
    await server.query(
      "CREATE TRIGGER dawdling AFTER INSERT ON strait.receipt FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
      [],
      address,
    );
    const appends: Promise<void>[] = [];
    for (let place = 0; place < 100; place++) {
      appends.push(stores.journal.append(receipt(`r${place}`)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(appends);
    expect(await count()).toBe(100);
    expect(await statements()).toBeLessThan(10);
  });

  it("lists receipts that began in the same millisecond in one order, by their ids", async () => {
    for (const ids of [["b"], ["d", "a"], ["c"]])
      await Promise.all(ids.map((id) => stores.journal.append(receipt(id, { startedAtMs: 5 }))));
    expect((await stores.journal.list("acme", undefined, 10)).map((one) => one.requestId)).toEqual(["d", "c", "b", "a"]);
  });

  it("takes one receipt a request from four replicas that report it at once, and the one that knows", async () => {
    const replicas = await Promise.all(
      [1, 2, 3, 4].map(() => openPostgresStores(address, systemClock, silent, { connections: 3 })),
    );
    const ids = Array.from({ length: 50 }, (_, place) => `r${place}`);
    await Promise.all(
      replicas.flatMap((replica, place) => {
        const inItsOrder = place % 2 === 0 ? ids : ids.toReversed();
        return inItsOrder.map((id) => replica.journal.append(receipt(id, { end: place < 2 ? "unsettled" : "completed" })));
      }),
    );
    expect(await count()).toBe(ids.length);
    const listed = await stores.journal.list("acme", undefined, 100);
    expect(listed.map((one) => one.end)).toEqual(ids.map(() => "completed"));
    await Promise.all(replicas.map((replica) => replica.close()));
  });

  it("writes the others of a turn where the database refuses one, and says so to that one alone", async () => {
    const outcomes = await Promise.allSettled([
      stores.journal.append(receipt("a")),
      stores.journal.append(receipt("broken", { startedAtMs: Number.NaN })),
      stores.journal.append(receipt("c")),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await count()).toBe(2);
  });

  it("takes every text for a value and none for SQL", async () => {
    const hostile = [
      "'; DROP TABLE strait.receipt; --",
      "$1",
      '{a,"b"}',
      "\\",
      "\\'",
      "NULL",
      "%",
      "ключ",
      "\u{1f600}",
      "\\u0000",
      "a\nb",
    ];
    for (const id of hostile) await stores.journal.append(receipt(id, { tenantId: id, modelAsked: id, responseId: id }));
    for (const id of hostile) {
      const written = receipt(id, { tenantId: id, modelAsked: id, responseId: id });
      expect(await stores.journal.find(id, id)).toEqual(written);
      expect(await stores.journal.findResponse(id, id)).toEqual(written);
      expect(await stores.journal.list(id, undefined, 10)).toEqual([written]);
    }
    expect(await count()).toBe(hostile.length);
  });

  it("gives back any text that PostgreSQL can keep, and loses no receipt for one that it cannot", async () => {
    let sequence = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary", maxLength: 600 }),
        async (servedModel, responseId) => {
          const id = `p${sequence++}`;
          const evidence = { region: undefined, inferenceGeo: undefined, servedModel, upstreamRequestId: undefined };
          await stores.journal.append(receipt(id, { evidence, responseId }));
          const kept = servedModel.toWellFormed().replaceAll("\0", "\ufffd");
          expect((await stores.journal.find("acme", id))?.evidence.servedModel).toBe(kept);
        },
      ),
      {
        numRuns: 200,
        examples: [
          ["\0", "\ud800"],
          ["\\u0000", "a\udc00"],
          ["\\\0", ""],
        ],
      },
    );
  });

  it("takes an id without end from an upstream, which nothing can be looked up by", async () => {
    const endless = Array.from({ length: 4_000 }, (_, place) => place.toString(36)).join("");
    await stores.journal.append(receipt("a", { responseId: endless }));
    expect((await stores.journal.find("acme", "a"))?.responseId).toBe(endless);
    expect(await stores.journal.findResponse("acme", endless)).toBeUndefined();
  });

  it("knows nothing under ids that it cannot have kept", async () => {
    await stores.journal.append(receipt("a"));
    expect(await stores.journal.find("acme", "a\0")).toBeUndefined();
    expect(await stores.journal.findResponse("acme", "\ud800")).toBeUndefined();
    expect(await stores.journal.list("acme\0", undefined, 10)).toEqual([]);
  });

  it("goes on after a restart of the server as if nothing had been", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, place) => stores.journal.find("acme", String(place))));
    await server.halt();
    await expect(stores.journal.append(receipt("a"))).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(stores.journal.find("acme", "a")).rejects.toMatchObject({ name: "StoreUnavailable" });
    await server.resume();
    await stores.journal.append(receipt("a"));
    expect(await stores.journal.find("acme", "a")).toBeDefined();
  });

  it("repeats what was under way on a connection that the server closed", async () => {
    await server.query(
      "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END'",
      [],
      address,
    );
    await server.query(
      "CREATE TRIGGER dawdling AFTER INSERT ON strait.receipt FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
      [],
      address,
    );
    const appended = stores.journal.append(receipt("a"));
    const working = "FROM pg_stat_activity WHERE application_name = 'strait' AND state = 'active'";
    await vi.waitFor(async () => expect(await server.query(`SELECT pg_terminate_backend(pid) ${working}`)).toHaveLength(1), {
      interval: 5,
    });
    await appended;
    expect(await count()).toBe(1);
  });

  it("hides a connection that the server closed from those that use it", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, place) => stores.journal.append(receipt(`before${place}`))));
    for (let round = 0; round < 5; round++) {
      await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strait'");
      await stores.journal.append(receipt(`after${round}`));
    }
    expect(await count()).toBe(25);
  });

  it("finishes what was asked for before it closes, and refuses what comes later", async () => {
    const appended = Array.from({ length: 50 }, (_, place) => stores.journal.append(receipt(`r${place}`)));
    await stores.close();
    await Promise.all(appended);
    expect(await count()).toBe(50);
    await expect(stores.journal.append(receipt("late"))).rejects.toMatchObject({ name: "StoreUnavailable" });
  });
});
