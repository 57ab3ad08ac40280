import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores, type PostgresOptions } from "../../src/runtime/node/postgres.ts";
import type { DirectoryAdmin } from "../../src/tenant/directory.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { silent } from "./postgres-world.ts";
import { auditEntry, directoryEntry } from "./samples.ts";

const listening = "application_name = 'strait listen' AND datname = current_database()";

describeOnPostgres("the directory in PostgreSQL", () => {
  let server: PostgresServer;
  let address: string;
  let closes: (() => Promise<void>)[];
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    address = await server.createDatabase();
    closes = [];
  });
  afterEach(async () => {
    await Promise.all(closes.map((close) => close()));
  });

  const replica = async (options: Partial<PostgresOptions> = {}): Promise<DirectoryAdmin> => {
    const stores = await openPostgresStores(address, systemClock, silent, { connections: 4, ...options });
    closes.push(() => stores.close());
    return stores.directory;
  };
  const save = (directory: DirectoryAdmin, revision: number, name = `revision ${revision}`): Promise<boolean> =>
    directory.save(directoryEntry("acme", revision, name), auditEntry(`${revision}`, "acme"));
  const nameIn = async (directory: DirectoryAdmin): Promise<string | undefined> => (await directory.find("acme"))?.tenant.name;
  /** What is answered from memory alone. */
  const remembered = (directory: DirectoryAdmin): DirectoryEntry | "asks" => {
    const found = directory.find("acme");
    if (found !== undefined && !(found instanceof Promise)) return found;
    found?.catch(() => undefined);
    return "asks";
  };

  it("answers from memory, with the very same frozen object, until the revision changes", async () => {
    const directory = await replica();
    await save(directory, 1);
    const first = await directory.find("acme");
    expect(remembered(directory)).toBe(first);
    expect(() => Object.assign(first?.tenant.verification ?? {}, { state: "suspended" })).toThrow(TypeError);
    await save(directory, 2);
    expect(remembered(directory)).toBe("asks");
    const second = await directory.find("acme");
    expect(second?.revision).toBe(2);
    // The message about the first may come as late as this, and is a reason to ask, not to make another object.
    await vi.waitFor(() => expect(remembered(directory)).toBe(second), { timeout: 1_000, interval: 5 });
  });

  it("shows a change to every other replica within a second", async () => {
    const [one, two, three] = await Promise.all([replica(), replica(), replica()]);
    await save(one, 1);
    for (const directory of [one, two, three]) expect(await nameIn(directory)).toBe("revision 1");
    for (let revision = 2; revision < 10; revision++) {
      const writer = revision % 2 === 0 ? one : two;
      expect(await save(writer, revision)).toBe(true);
      expect(await nameIn(writer)).toBe(`revision ${revision}`);
      await vi.waitFor(
        async () => {
          for (const directory of [one, two, three]) expect(await nameIn(directory)).toBe(`revision ${revision}`);
        },
        { timeout: 1_000, interval: 5 },
      );
    }
    expect(remembered(three)).not.toBe("asks");
  });

  it("never goes back to an older revision, whatever is asked while it changes", async () => {
    const [writer, reader] = await Promise.all([replica(), replica()]);
    await save(writer, 1);
    let latest = 1;
    let asked = 0;
    const stop = new AbortController();
    const reading = Array.from({ length: 8 }, async () => {
      let seen = 0;
      while (!stop.signal.aborted) {
        const entry = await reader.find("acme");
        expect(entry?.revision).toBeGreaterThanOrEqual(seen);
        seen = entry?.revision ?? 0;
        if (++asked % 100 === 0) await delay(0);
      }
      return seen;
    });
    for (; latest < 100; latest++) await save(writer, latest + 1);
    await delay(100);
    stop.abort();
    await Promise.all(reading);
    expect(asked).toBeGreaterThan(100);
    expect((await reader.find("acme"))?.revision).toBe(100);
  });

  it("lets exactly one of many replicas win each revision, with one audit entry each", async () => {
    const first = await replica();
    const replicas = [first, ...(await Promise.all([1, 2, 3].map(() => replica())))];
    for (let revision = 1; revision <= 10; revision++) {
      const saved = await Promise.all(
        [...replicas, ...replicas].map((directory, place) => save(directory, revision, `by ${place}`)),
      );
      expect(saved.filter((won) => won)).toHaveLength(1);
      await vi.waitFor(async () => expect(await nameIn(first)).toBe(`by ${saved.indexOf(true)}`), {
        timeout: 1_000,
        interval: 5,
      });
    }
    expect((await first.audit("acme", 100)).map((entry) => entry.id)).toEqual([
      "10",
      "9",
      "8",
      "7",
      "6",
      "5",
      "4",
      "3",
      "2",
      "1",
    ]);
  });

  it("hears again after its connection was broken, and knows what it missed", async () => {
    const [writer, reader] = await Promise.all([replica(), replica()]);
    await save(writer, 1);
    const first = await reader.find("acme");
    // Both lose theirs; what is written before they are back reaches nobody.
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`, [], address);
    await save(writer, 2);
    await vi.waitFor(() => expect(remembered(reader)).not.toBe(first), { timeout: 2_000, interval: 5 });
    expect(await nameIn(reader)).toBe("revision 2");
    await vi.waitFor(() => expect(remembered(reader)).not.toBe("asks"), { timeout: 2_000, interval: 5 });
    await save(writer, 3);
    await vi.waitFor(async () => expect(await nameIn(reader)).toBe("revision 3"), { timeout: 1_000, interval: 5 });
  });

  it("asks once more after the connection was broken, and keeps the object where nothing changed", async () => {
    const reader = await replica();
    await save(reader, 1);
    const first = await reader.find("acme");
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`, [], address);
    await vi.waitFor(() => expect(remembered(reader)).toBe("asks"), { timeout: 2_000, interval: 1 });
    expect(await reader.find("acme")).toBe(first);
    await vi.waitFor(() => expect(remembered(reader)).toBe(first), { timeout: 2_000, interval: 5 });
  });

  it("trusts its memory no longer than the staleness while it cannot hear, then asks every time, then recovers", async () => {
    const stalenessMs = 600;
    const [writer, reader] = await Promise.all([replica(), replica({ stalenessMs })]);
    await save(writer, 1);
    await reader.find("acme");
    const [row] = await server.query<{ name: string }>("SELECT current_database() AS name", [], address);
    const database = row?.name ?? "";
    const listeners = `FROM pg_stat_activity WHERE application_name = 'strait listen' AND datname = '${database}'`;
    // Connections that are there go on; a new one to listen cannot be made.
    await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    try {
      await server.query(`SELECT pg_terminate_backend(pid) ${listeners}`);
      await vi.waitFor(async () => expect(await server.query(`SELECT pid ${listeners}`)).toEqual([]), {
        timeout: 2_000,
        interval: 5,
      });
      expect(await save(writer, 2)).toBe(true);
      const changedAtMs = performance.now();
      await vi.waitFor(async () => expect(await nameIn(reader)).toBe("revision 2"), { timeout: 3_000, interval: 5 });
      expect(performance.now() - changedAtMs).toBeLessThan(stalenessMs + 100);
      for (let revision = 3; revision < 6; revision++) {
        await save(writer, revision);
        expect(remembered(reader)).toBe("asks");
        expect(await nameIn(reader)).toBe(`revision ${revision}`);
      }
    } finally {
      await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    }
    await vi.waitFor(() => expect(remembered(reader)).not.toBe("asks"), { timeout: 5_000, interval: 10 });
  });

  it("notices a connection that is silent without being broken", async () => {
    const stalenessMs = 1_000;
    const writer = await replica();
    const [before] = await server.query<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE ${listening}`, [], address);
    const reader = await replica({ stalenessMs });
    await save(writer, 1);
    await reader.find("acme");
    const pids = await server.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE ${listening} AND pid <> $1`,
      [before?.pid],
      address,
    );
    const pid = pids[0]?.pid ?? 0;
    expect(pids).toHaveLength(1);
    process.kill(pid, "SIGSTOP");
    try {
      await save(writer, 2);
      expect(await nameIn(reader)).toBe("revision 1");
      await vi.waitFor(async () => expect(await nameIn(reader)).toBe("revision 2"), { timeout: stalenessMs + 100, interval: 5 });
      // A new connection takes the place of the silent one.
      await vi.waitFor(() => expect(remembered(reader)).not.toBe("asks"), { timeout: 3_000, interval: 10 });
      await save(writer, 3);
      await vi.waitFor(async () => expect(await nameIn(reader)).toBe("revision 3"), { timeout: 1_000, interval: 5 });
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  it("lets nobody in when neither memory nor database can be trusted, and serves again when it is back", async () => {
    const reader = await replica({ stalenessMs: 300 });
    await save(reader, 1);
    await reader.find("acme");
    await server.halt("immediate");
    expect(remembered(reader)).not.toBe("asks");
    await delay(350);
    await expect(Promise.resolve(reader.find("acme"))).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(save(reader, 2)).rejects.toMatchObject({ name: "StoreUnavailable" });
    await server.resume();
    await vi.waitFor(() => expect(remembered(reader)).not.toBe("asks"), { timeout: 5_000, interval: 10 });
  });

  it("sees a change under the same revision number, as a failover that lost the last one makes it", async () => {
    const reader = await replica();
    await save(reader, 1);
    await save(reader, 2, "lost");
    expect(await nameIn(reader)).toBe("lost");
    await server.query(
      `UPDATE strait.tenant SET version = gen_random_uuid(), document = jsonb_set(document, '{tenant,name}', '"kept"')`,
      [],
      address,
    );
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`, [], address);
    await vi.waitFor(async () => expect(await nameIn(reader)).toBe("kept"), { timeout: 2_000, interval: 5 });
  });

  it("keeps those used last, as many as it may, and reads the others again", async () => {
    const directory = await replica({ keptEntries: 2 });
    for (const id of ["aaa", "bbb", "ccc"]) await directory.save(directoryEntry(id, 1), auditEntry(id, id));
    const isKept = (id: string): boolean => {
      const found = directory.find(id);
      if (found instanceof Promise) found.catch(() => undefined);
      return !(found instanceof Promise);
    };
    await delay(50);
    await directory.find("aaa");
    await directory.find("bbb");
    expect(isKept("aaa")).toBe(true);
    await directory.find("ccc");
    expect(isKept("aaa")).toBe(true);
    expect(isKept("bbb")).toBe(false);
  });

  it("answers all who ask in one turn with one statement, those whom it does not know as well", async () => {
    const directory = await replica();
    for (const id of ["aaa", "bbb"]) await directory.save(directoryEntry(id, 1), auditEntry(id, id));
    const asked = ["aaa", "bbb", "aaa", "nobody", "'; DROP TABLE strait.tenant; --", "aaa\0", "\ud800"];
    const found = await Promise.all(asked.map(async (id) => directory.find(id)));
    expect(found.map((entry) => entry?.tenant.id)).toEqual(["aaa", "bbb", "aaa", undefined, undefined, undefined, undefined]);
    expect(found[0]).toBe(found[2]);
  });

  it("adds up what replicas know of the use of keys, and keeps the latest", async () => {
    const [one, two] = await Promise.all([replica(), replica()]);
    one.touchKey("acme", "key_1", 100);
    two.touchKey("acme", "key_1", 200);
    one.touchKey("acme", "key_2", 50);
    for (const close of closes) await close();
    const reader = await replica();
    expect(new Map(await reader.lastUsed("acme"))).toEqual(
      new Map([
        ["key_1", 200],
        ["key_2", 50],
      ]),
    );
  });
});
