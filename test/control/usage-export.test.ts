import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { longestAdmissionMs, type JournalReader } from "../../src/ledger/journal-reader.ts";
import { receiptSchema, type Receipt, type RefusalReceipt } from "../../src/ledger/receipt.ts";
import { requestIdAt } from "../stores/journal-reader-contract.ts";
import { readRecords } from "../usage/read-csv.ts";
import { usageControl, type UsageFixture } from "./usage-fixture.ts";

const hourMs = 3_600_000;

let api: UsageFixture;
beforeEach(async () => {
  api = await usageControl();
});
afterEach(() => api.close());

interface Line {
  readonly requestId: string;
  readonly cursor: string | null;
}

async function lines(query: string): Promise<(Line & Receipt)[]> {
  const { status, text } = await exported(`format=jsonl&${query}`);
  expect(status).toBe(200);
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line & Receipt);
}

async function records(query: string): Promise<Line[]> {
  const { text } = await exported(`format=focus&${query}`);
  return readRecords(text).map((record) => ({ requestId: record["x_request_id"] ?? "", cursor: record["x_cursor"] || null }));
}

async function exported(query: string): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await api.raw(`/usage/export?${query}`);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Old enough that every one of them carries its cursor. */
function old(number: number): number {
  return api.clock.ms - 24 * hourMs + Math.floor(number / 3) * 1_000;
}

function refusalAt(startedAtMs: number, tenantId: string): RefusalReceipt {
  const record = { schema: receiptSchema, requestId: requestIdAt(startedAtMs, 1), tenantId, keyId: "key", end: "refused" };
  return { ...record, startedAtMs, endedAtMs: startedAtMs, refusal: { kind: "policy_denied" } } as RefusalReceipt;
}

describe("an export of refusals", () => {
  it("has the records of a period in order, resumes after any cursor, and mixes no receipt in", async () => {
    const ids = [3, 1, 2, 0].map((number) => refusalAt(old(number * 3), number % 2 === 0 ? "acme" : "other"));
    for (const one of ids) await api.stores.refusals.append(one);
    await api.write({ startedAtMs: old(0) });
    const all = await lines("kind=refusals");
    expect(all.map(({ requestId }) => requestId)).toEqual(ids.map(({ requestId }) => requestId).sort());
    expect(await lines(`kind=refusals&after=${all[1]?.cursor ?? ""}`)).toEqual(all.slice(2));
    expect((await lines("kind=refusals&tenant=acme")).map(({ tenantId }) => tenantId)).toEqual(["acme", "acme"]);
    const [, second, third] = all;
    const [from, to] = [second, third].map((line) => new Date(line?.startedAtMs ?? 0).toISOString());
    expect(await lines(`kind=refusals&from=${from ?? ""}&to=${to ?? ""}`)).toEqual([second]);
    expect(await lines("")).toHaveLength(1);
  });

  it("is no bill", async () => {
    const { status, text } = await exported("format=focus&kind=refusals");
    expect([status, text]).toEqual([400, expect.stringContaining("jsonl")]);
  });
});

describe("an export", () => {
  it("has every receipt whole in JSON Lines, with its cursor", async () => {
    const [written] = await api.write({ startedAtMs: old(0), traceId: "abc" });
    const [line] = await lines("");
    expect(line?.cursor).toMatch(/^c1\./);
    expect(line).toEqual({ cursor: line?.cursor, ...(JSON.parse(JSON.stringify(written)) as object) });
  });

  it("is FOCUS as CSV, with names from the catalogue and the directory, and no formula among them", async () => {
    await api.write({ startedAtMs: old(0), model: "gpt-5" });
    const { status, text, headers } = await exported("format=focus&issuer=Cloud+Ltd");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(headers.get("content-disposition")).toBe('attachment; filename="strait-focus.csv"');
    expect(headers.get("cache-control")).toBe("no-store");
    expect(readRecords(text)).toMatchObject([
      {
        BillingAccountId: "acme",
        BillingAccountName: `'=Acme, "Ltd"`,
        PublisherName: "maker",
        ProviderName: "Cloud Ltd",
        InvoiceIssuerName: "Cloud Ltd",
        ServiceName: "gpt-5",
      },
    ]);
  });

  it("continues a file without a second head", async () => {
    await api.write(...[0, 1, 2].map((number) => ({ startedAtMs: old(number) })));
    const { text: whole } = await exported("format=focus");
    const [first] = await records("");
    const { text: rest } = await exported(`format=focus&header=false&after=${first?.cursor ?? ""}`);
    expect(whole.endsWith(rest)).toBe(true);
    expect(whole.slice(0, -rest.length).match(/\r\n/g)).toHaveLength(2);
  });

  it("is of one tenant and a period where they are named, and empty where there is nothing", async () => {
    const [mine] = await api.write(
      { startedAtMs: old(0) },
      { startedAtMs: old(0), tenantId: "other" },
      { startedAtMs: api.clock.ms - 72 * hourMs },
    );
    expect((await lines("tenant=acme&from=2026-11-22&to=2026-11-23")).map(({ requestId }) => requestId)).toEqual([
      mine?.requestId,
    ]);
    expect(await lines("from=2025-01-01&to=2025-02-01")).toEqual([]);
    expect(await records("from=2025-01-01&to=2025-02-01")).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ["format=xml", "format", /focus or jsonl/],
    ["", "format", /focus or jsonl/],
    ["format=focus&after=abc", "after", /a cursor as it stands in a line/],
    ["format=focus&from=abc", "from", /a day such as/],
    ["format=focus&settled=yes", "settled", /true or false/],
  ])("says what is wrong with %j", async (query, parameter, told) => {
    const { status, text } = await exported(query);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ problems: [{ parameter, detail: expect.stringMatching(told) }] });
  });

  it("refuses a tenant that is none", async () => {
    expect((await exported("format=jsonl&tenant=nobody")).status).toBe(404);
  });
});

describe("resuming an export", () => {
  it("after any cursor gives every receipt once, in both formats, while more are appended", async () => {
    const written = new Set(
      (
        await api.write(
          ...Array.from({ length: 700 }, (_, number) => ({
            startedAtMs: old(number),
            tenantId: number % 5 === 0 ? "other" : "acme",
          })),
        )
      ).map(({ requestId }) => requestId),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("jsonl", "focus"),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (format, parts, onlyOne) => {
          const query = onlyOne ? "tenant=acme" : "";
          const expected = onlyOne ? (await lines(query)).length : written.size;
          const taken: string[] = [];
          let after = "";
          for (const part of [...parts, Number.POSITIVE_INFINITY]) {
            // Somebody else's requests begin and end meanwhile.
            for (const one of await api.write({ startedAtMs: api.clock.ms + taken.length, tenantId: "late" }))
              expect(one.requestId).not.toBe("");
            const read = await (format === "jsonl" ? lines : records)(
              `${query}&to=2026-11-23${after === "" ? "" : `&after=${after}`}`,
            );
            const piece = read.slice(0, part);
            taken.push(...piece.map(({ requestId }) => requestId));
            after = piece.at(-1)?.cursor ?? after;
          }
          expect(new Set(taken).size).toBe(taken.length);
          expect(taken.length).toBe(expected);
        },
      ),
      { numRuns: 12 },
    );
  }, 30_000);

  it("is offered only before what is still in flight, so that a long request is not lost", async () => {
    const longMs = api.clock.ms - 2 * longestAdmissionMs;
    const [before] = await api.write({ startedAtMs: longMs - 1 });
    await api.exchange("k1", "gpt-5", undefined, longMs);
    const [after] = await api.write({ startedAtMs: longMs + 5 });
    expect((await lines("")).map(({ requestId, cursor }) => [requestId, cursor !== null])).toEqual([
      [before?.requestId, true],
      [after?.requestId, false],
    ]);
    expect((await lines("settled=true")).map(({ requestId }) => requestId)).toEqual([before?.requestId]);
    expect((await records("settled=true")).map(({ requestId }) => requestId)).toEqual([before?.requestId]);
  });

  it("is not yet offered after what just happened, which is shown all the same", async () => {
    await api.write({});
    expect(await lines("")).toMatchObject([{ cursor: null }]);
    expect(await lines("settled=true")).toEqual([]);
  });
});

describe("streaming an export", () => {
  it("reads no page before somebody takes it, and none after they left", async () => {
    let scans = 0;
    const late: { api?: UsageFixture } = {};
    const reader: JournalReader = {
      scan: async (query) => (scans++, (await late.api?.stores.reader.scan(query)) ?? []),
      scanRefusals: async () => [],
      usage: async () => [],
      completeUntilMs: async () => 0,
    };
    const counting = await usageControl({ reader });
    late.api = counting;
    try {
      await counting.write(
        ...Array.from({ length: 1_600 }, (_, number) => ({ startedAtMs: counting.clock.ms - hourMs + number })),
      );
      const response = await counting.raw("/usage/export?format=jsonl");
      const taking = response.body?.getReader();
      expect(scans).toBe(1);
      await taking?.read();
      await taking?.read();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(scans).toBe(2);
      await taking?.cancel();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(scans).toBe(2);
    } finally {
      counting.close();
    }
  });

  it("breaks off where the journal fails on the way, so that nobody takes a part for the whole", async () => {
    await api.write(...Array.from({ length: 600 }, (_, number) => ({ startedAtMs: old(number) })));
    const response = await api.raw("/usage/export?format=jsonl");
    const reader = response.body?.getReader();
    await reader?.read();
    api.stores.close();
    await expect(reader?.read()).rejects.toThrow(/closed/);
  });
});
