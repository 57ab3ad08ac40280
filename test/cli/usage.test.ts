import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { longestAdmissionMs } from "../../src/ledger/journal-reader.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { operatorKey } from "../control/control-fixture.ts";
import { usageControl, type UsageFixture } from "../control/usage-fixture.ts";
import { readRecords } from "../usage/read-csv.ts";
import { emptyFolder, strait, type Run } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 30_000 });

let api: UsageFixture;
let server: Server;
let run: (words: readonly string[], input?: string) => Promise<Run>;
let written: Receipt[];
let mangle: ((body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>) | undefined;

const day = "2026-11-20";
const dayMs = Date.parse(`${day}T00:00:00Z`);

beforeAll(async () => {
  api = await usageControl();
  const listener = getRequestListener(async (request) => {
    const response = await api.app.fetch(request);
    if (mangle === undefined || response.body === null || !request.url.includes("/export")) return response;
    return new Response(mangle(response.body), response);
  });
  server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const environment = {
    STRAIT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    STRAIT_OPERATOR_KEY: operatorKey,
  };
  run = (words, input) => strait(words, environment, input);
  const usage = { inputTokens: 100, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: undefined };
  const seen = (upstreamRequestId: string | undefined): Receipt["evidence"] => ({
    region: "Somewhere",
    inferenceGeo: undefined,
    servedModel: undefined,
    upstreamRequestId,
  });
  written = await api.write(
    ...Array.from({ length: 600 }, (_, number) => ({
      startedAtMs: dayMs + 1_000 * number,
      keyId: number % 2 === 0 ? "k1" : "k2",
      usage,
      chargedTokens: 120,
      costMicroUsd: 300,
      evidence: seen(number < 590 ? `up-${number}` : undefined),
    })),
  );
});

afterEach(() => (mangle = undefined));

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  api.close();
});

describe("strait usage", () => {
  test("shows sums as a table with a total, in dollars", async () => {
    const { code, stdout, stderr } = await run(["usage", "acme", "--from", day, "--to", "2026-11-21", "--by", "day,key"]);
    expect(code).toBe(0);
    const [head, first, second, total] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(head).toEqual(["DAY", "KEY", "REQUESTS", "REFUSED", "UNSETTLED", "INPUT", "CACHED", "OUTPUT", "CHARGED", "COST"]);
    expect(first).toEqual([day, "k1", "300", "0", "0", "30000", "0", "6000", "36000", "$0.09"]);
    expect(second).toEqual([day, "k2", "300", "0", "0", "30000", "0", "6000", "36000", "$0.09"]);
    expect(total).toEqual(["total", "-", "600", "0", "0", "60000", "0", "12000", "72000", "$0.18"]);
    expect(stderr).toContain("days in UTC");
  });

  test("prints the API's document with --json, and its refusal with exit code 1", async () => {
    const { stdout } = await run(["usage", "--from", day, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ by: ["day"], total: { requests: 600 } });
    const wrong = await run(["usage", "--by", "colour"]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("by: Write a list, each once, of day")]);
  });
});

describe("strait export", () => {
  test("writes FOCUS and JSON Lines to standard output, nothing else, and tells the last cursor beside it", async () => {
    const focus = await run(["export", "--format", "focus", "--from", day, "--issuer", "Cloud"]);
    expect(focus.code).toBe(0);
    const records = readRecords(focus.stdout);
    expect(records.map((record) => record["x_request_id"])).toEqual(written.map(({ requestId }) => requestId));
    expect(focus.stderr).toBe(`The last cursor is ${records.at(-1)?.["x_cursor"] ?? ""}.\n`);
    const lines = await run(["export", "--format", "jsonl", "--from", day, "--tenant", "acme"]);
    expect(lines.stdout.split("\n").slice(0, -1)).toHaveLength(600);
    expect(lines.stderr).toBe(focus.stderr);
  });

  test("goes on after a cursor, and together it is the whole", async () => {
    const whole = await run(["export", "--format", "focus", "--from", day]);
    const cursor = readRecords(whole.stdout)[249]?.["x_cursor"] ?? "";
    const rest = await run(["export", "--format", "focus", "--from", day, "--after", cursor, "--no-header"]);
    const cut = whole.stdout.length - rest.stdout.length;
    expect(whole.stdout.slice(cut)).toBe(rest.stdout);
    expect(rest.stdout.match(/\r\n/g)).toHaveLength(350);
  });

  test("says how to go on where the answer breaks off", async () => {
    mangle = (body) => {
      const reader = body.getReader();
      let pieces = 0;
      return new ReadableStream({
        async pull(controller) {
          const { value } = await reader.read();
          pieces += 1;
          if (pieces <= 2 && value !== undefined) return controller.enqueue(value);
          // What was sent before arrives before the line breaks.
          await new Promise((resolve) => setTimeout(resolve, 300));
          controller.error(new Error("the cable was cut"));
        },
      });
    };
    const { code, stdout, stderr } = await run(["export", "--format", "jsonl", "--from", day]);
    const cursor = (JSON.parse(stdout.split("\n").at(-2) ?? "") as { cursor: string }).cursor;
    expect(code).toBe(3);
    expect(stderr).toContain(`broke off`);
    expect(stderr).toContain(`go on with --after ${cursor}`);
    mangle = undefined;
    const rest = await run(["export", "--format", "jsonl", "--from", day, "--after", cursor]);
    expect((stdout + rest.stdout).match(/\n/g)).toHaveLength(600);
  });

  test("is one of two formats", async () => {
    expect((await run(["export", "--format", "xml"])).code).toBe(2);
    expect((await run(["export"])).stderr).toContain("--format focus or --format jsonl");
  });
});

describe("strait reconcile counters", () => {
  test("exits with 0 where all is equal, and with 1 and the sums where a receipt is lost", async () => {
    await api.call("PUT", "/tenants/acme/limits", {
      limits: [{ name: "usd-a-day", unit: "micro_usd", window: "day", ceiling: 1_000_000 }],
    });
    await api.exchange("k1", "gpt-5", { tokens: 10, microUsd: 2_500 });
    await api.exchange("k1", "gpt-5", undefined, api.clock.ms - longestAdmissionMs);
    const equal = await run(["reconcile", "counters", "--tenant", "acme"]);
    expect([equal.code, equal.stdout.split("\n")[1]?.split(/ {2,}/)]).toEqual([
      0,
      ["usd-a-day", "micro_usd", "day", "2026-11-23T00:00:00.000Z", "$0.00255", "$0.0025", "$0.00005", "$0", "equal"],
    ]);
    await api.exchange("k1", "gpt-5", { tokens: 10, microUsd: 7, isRecorded: false });
    const lost = await run(["reconcile", "counters", "--tenant", "acme", "--json"]);
    expect(lost.code).toBe(1);
    expect(JSON.parse(lost.stdout)).toMatchObject({ counters: [{ difference: 7, verdict: "differs" }] });
    expect(lost.stderr).toBe("1 of 1 counters differ.\n");
  });

  test("needs to know whose", async () => {
    expect((await run(["reconcile", "counters"])).code).toBe(2);
    expect((await run(["reconcile", "counters", "--tenant", "nobody"])).code).toBe(1);
  });
});

describe("strait reconcile provider", () => {
  const columns = [
    "--id-column",
    "Request",
    "--date-column",
    "Date",
    "--deployment-column",
    "Resource",
    "--input-column",
    "In",
    "--output-column",
    "Out",
    "--cost-column",
    "Cost",
  ];
  const period = ["--from", day, "--to", "2026-11-21"];
  const head = "Date,Request,Resource,In,Out,Cost";
  const row = (
    number: number,
    more: Partial<{ id: string; input: string; output: string; cost: string; date: string }> = {},
  ): string =>
    [
      more.date ?? new Date(dayMs + 1_000 * number).toISOString(),
      more.id ?? `up-${number}`,
      '"their ""deployment"""',
      more.input ?? "100",
      more.output ?? "20",
      more.cost ?? "3e-04",
    ].join(",");
  /** What has no id of the provider's own: ten receipts. */
  const rest = `${day},,"their ""deployment""",1000,200,0.003`;
  const renamed = ["--deployment", 'their "deployment"=somewhere/model-a'];

  function file(...lines: string[]): string {
    const path = join(emptyFolder, `provider-${Math.random().toString(36).slice(2)}.csv`);
    writeFileSync(path, `\uFEFF${lines.join("\r\n")}\r\n`);
    return path;
  }

  const all = Array.from({ length: 590 }, (_, number) => row(number));

  test("exits with 0 where every request and the rest of each day agree", async () => {
    const { code, stdout, stderr } = await run([
      "reconcile",
      "provider",
      file(head, ...all, rest, row(0, { id: "old", date: "2026-10-01" })),
      ...period,
      ...columns,
      ...renamed,
    ]);
    expect([code, stdout, stderr]).toEqual([
      0,
      "",
      "591 rows of the provider's beside 600 receipts; 1 rows of other days were passed over.\n",
    ]);
  });

  test("lists what differs by request and exits with 1", async () => {
    const lines = [...all.slice(2), row(1, { input: "101" }), row(7, { id: "up-unknown" })];
    const { code, stdout, stderr } = await run([
      "reconcile",
      "provider",
      file(head, ...lines),
      ...period,
      ...columns,
      ...renamed,
      "--json",
    ]);
    expect(code).toBe(1);
    const { listed, differences } = JSON.parse(stdout) as { listed: Record<string, unknown>[]; differences: number };
    expect(differences).toBe(13);
    expect(stderr).toContain("13 differences.");
    const [receipt, unknown] = [
      { input: 100, output: 20, costMicroUsd: 300 },
      { input: 100, output: 20, costMicroUsd: 300 },
    ];
    expect(listed.filter(({ kind }) => kind === "differs")).toMatchObject([
      {
        upstreamRequestId: "up-1",
        requestId: written[1]?.requestId,
        tenant: "acme",
        day,
        receipt,
        provider: { input: 101, output: 20, costMicroUsd: 300 },
      },
    ]);
    expect(listed.filter(({ kind }) => kind === "no_receipt")).toMatchObject([
      { upstreamRequestId: "up-unknown", requestId: null, receipt: null, provider: unknown, deployment: "somewhere/model-a" },
    ]);
    const unbilled = listed.filter(({ kind }) => kind === "not_billed").map(({ requestId }) => requestId);
    expect(new Set(unbilled)).toEqual(new Set([written[0], ...written.slice(590)].map((one) => one?.requestId)));
    expect(unbilled).toHaveLength(11);
  });

  test("compares what has no id by day and deployment", async () => {
    const wrong = `${day},,"their ""deployment""",1000,199,0.003`;
    const elsewhere = `${day},,other,5,5,0`;
    const { code, stdout } = await run([
      "reconcile",
      "provider",
      file(head, ...all, wrong, elsewhere),
      ...period,
      ...columns,
      ...renamed,
      "--json",
    ]);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { listed: unknown[] }).listed).toMatchObject([
      { kind: "day_differs", deployment: "other", receipt: null, provider: { input: 5, output: 5 } },
      {
        kind: "day_differs",
        deployment: "somewhere/model-a",
        day,
        receipt: { input: 1_000, output: 200, costMicroUsd: 3_000 },
        provider: { input: 1_000, output: 199 },
      },
    ]);
  });

  test("adds up several rows and columns of one request, takes a file from standard input, and lets costs differ by the tolerance", async () => {
    const halves = written.slice(0, 590).flatMap((_, number) => [`up-${number};60;10;20;0.0002`, `up-${number};20;10;0;0.00012`]);
    const text = ["Request;Plain;Cached;Out;Cost", ...halves].join("\n");
    const words = [
      "reconcile",
      "provider",
      "-",
      ...period,
      "--delimiter",
      ";",
      "--id-column",
      "Request",
      "--input-column",
      "Plain",
      "--input-column",
      "Cached",
      "--output-column",
      "Out",
      "--cost-column",
      "Cost",
    ];
    const strict = await run([...words, "--json", "--most", "3"], text);
    const { differences, listed } = JSON.parse(strict.stdout) as { differences: number; listed: unknown[] };
    expect([strict.code, differences, listed.length]).toEqual([1, 600, 3]);
    const loose = await run([...words, "--tolerance", "20", "--json"], text);
    expect((JSON.parse(loose.stdout) as { listed: { kind: string }[] }).listed.map(({ kind }) => kind)).toEqual(
      Array(10).fill("not_billed"),
    );
  });

  test.each<[string, string[], string[], RegExp]>([
    ["a column that is none", [head], ["--id-column", "Id", "--input-column", "In"], /no column "Id"; it has Date, Request/],
    ["a count that is none", [head, row(0, { input: "1.5" })], columns, /line 2, column "In": "1.5" is not a whole number/],
    ["a cost that is none", [head, row(0, { cost: "cheap" })], columns, /line 2, column "Cost": "cheap" is not an amount/],
    [
      "a day that is none",
      [head, row(0), row(1, { date: "20.11.2026" })],
      columns,
      /line 3, column "Date": "20.11.2026" is not a day/,
    ],
    ["nothing to match by", [head], ["--input-column", "In"], /Say what to match by/],
    ["nothing to compare", [head], ["--id-column", "Request"], /Say what to compare/],
    ["an open quote", [head, '"2026'], columns, /quote that opens in line 2 does not close/],
  ])("says what is wrong with %s", async (_name, lines, words, told) => {
    const { code, stderr } = await run(["reconcile", "provider", file(...lines), ...period, ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(told);
  });
});
