import { expect, test } from "vitest";
import type { JournalWriters, KnownWriter } from "../../src/ledger/journal-writers.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { control } from "./control-fixture.ts";

const living: KnownWriter = { id: "edge-1-b7", seenAtMs: 5_000, completeUntilMs: 4_000 };
const dead: KnownWriter = { id: "edge-2-c9.1", seenAtMs: 1_000, completeUntilMs: 0 };

function writersOf(known: KnownWriter[]): JournalWriters {
  return {
    list: async () => known,
    async dismiss(id) {
      const at = known.findIndex((one) => one.id === id);
      if (at !== -1) known.splice(at, 1);
      return at !== -1;
    },
  };
}

test("writers are listed with when they were last heard of", async () => {
  const { call } = control({ writers: writersOf([living, dead]) });
  const { status, json } = await call("GET", "/writers");
  expect(status).toBe(200);
  expect(json).toEqual({
    writers: [
      { id: "edge-1-b7", seenAt: "1970-01-01T00:00:05.000Z", completeUntil: "1970-01-01T00:00:04.000Z" },
      { id: "edge-2-c9.1", seenAt: "1970-01-01T00:00:01.000Z", completeUntil: null },
    ],
  });
});

test("one is dismissed with a reason, on record, and only if it is known", async () => {
  const known = [living, dead];
  const { call, directory } = control({ writers: writersOf(known) });
  expect((await call("POST", "/writers/edge-2-c9.1/dismiss", {})).status).toBe(400);
  expect((await call("POST", "/writers/nobody/dismiss", { reason: "gone" })).json).toMatchObject({
    type: "urn:strait:problem:writer-not-found",
  });
  expect(await directory.audit(undefined, 10)).toEqual([]);
  const { status, json } = await call("POST", "/writers/edge-2-c9.1/dismiss", { reason: "the disk is broken" });
  expect(status).toBe(200);
  expect(json).toMatchObject({ id: "edge-2-c9.1" });
  expect(known).toEqual([living]);
  expect(await directory.audit(undefined, 10)).toMatchObject([
    {
      action: "writer.dismiss",
      actor: "operator",
      tenantId: "*",
      detail: { writer: "edge-2-c9.1", seenAt: "1970-01-01T00:00:01.000Z", reason: "the disk is broken" },
    },
  ]);
});

test("nobody is dismissed where that cannot be recorded", async () => {
  const known = [dead];
  const { call, directory } = control({ writers: writersOf(known) });
  directory.note = () => Promise.reject(new StoreUnavailable("away"));
  expect((await call("POST", "/writers/edge-2-c9.1/dismiss", { reason: "gone" })).status).toBe(503);
  expect(known).toEqual([dead]);
});

test("nothing is served where one gateway alone writes its journal", async () => {
  expect((await control().call("GET", "/writers")).status).toBe(404);
});
