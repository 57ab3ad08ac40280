import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sha256 } from "../../src/runtime/node/clock.ts";
import { readRegions } from "../../src/runtime/node/regions.ts";
import { startSimulator, type RunningSimulator } from "../../src/runtime/node/simulator-server.ts";
import { demoOperatorKey } from "../../src/runtime/worker/config.ts";
import { startWrangler, type RunningWrangler } from "./start-wrangler.ts";

const project = join(import.meta.dirname, "../..");

/** Names of the spans that the collector was sent. */
const collected: string[] = [];
const collector = createServer((request, response) => void collect(request, response));

async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { resourceSpans } = JSON.parse(await text(request)) as OtlpTraces;
  for (const { scopeSpans } of resourceSpans)
    for (const { spans } of scopeSpans) collected.push(...spans.map(({ name }) => name));
  response.end("{}");
}

interface OtlpTraces {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly { readonly name: string }[] }[] }[];
}

let simulator: RunningSimulator;
let wrangler: RunningWrangler;
let regionIds: readonly string[];
let key: string;

beforeAll(async () => {
  const reading = readRegions(join(project, "regions"), sha256);
  if (!reading.ok) throw new Error("regions/ does not hold");
  regionIds = [...reading.catalogue.regions.keys()];
  simulator = await startSimulator(reading.catalogue);
  await new Promise<void>((resolve) => void collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  wrangler = await startWrangler({
    STRAIT_SIMULATOR_URL: simulator.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  });
  const strait = [join(project, "src/runtime/node/strait.ts"), "key", "issue", "demo_cn", "--url", wrangler.url];
  const { stdout } = await promisify(execFile)(process.execPath, strait, {
    env: { ...process.env, STRAIT_OPERATOR_KEY: demoOperatorKey },
  });
  key = /sk-strait-\S+/.exec(stdout)?.[0] ?? "";
}, 90_000);

afterAll(async () => {
  await wrangler?.stop();
  await simulator?.close();
  collector.close();
}, 30_000);

afterEach(() => {
  for (const id of regionIds) simulator.simulator.setPace(id, { tokensPerSecond: 0 });
});

function chat(body: Record<string, unknown>, signal?: AbortSignal): Promise<Response> {
  return fetch(`${wrangler.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "Where do you run?" }], ...body }),
    ...(signal === undefined ? {} : { signal }),
  });
}

function cancelledUpstream(): number {
  return regionIds.reduce((sum, id) => sum + simulator.simulator.stats(id).cancelled, 0);
}

async function receipt(requestId: string | null): Promise<Record<string, unknown>> {
  const response = await fetch(`${wrangler.url}/v1/strait/receipts/${requestId}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  return (await response.json()) as Record<string, unknown>;
}

describe("wrangler dev", () => {
  it("gives the demonstration's tenants to whoever reads its output", () => {
    expect(wrangler.output()).toMatch(/sk-strait-demo_cn-/);
    expect(wrangler.output()).toMatch(/sk-strait-demo_sg-/);
  });

  it("streams over a real socket as the upstream sends", async () => {
    for (const id of regionIds) simulator.simulator.setPace(id, { tokensPerSecond: 40 });
    const response = await chat({ stream: true });
    let pieces = 0;
    let answer = "";
    for await (const piece of response.body ?? []) {
      pieces++;
      answer += new TextDecoder().decode(piece);
    }
    expect(pieces).toBeGreaterThan(5);
    expect(answer.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await receipt(response.headers.get("x-request-id"))).toMatchObject({ end: "completed", stream: true });
  });

  it("sends the spans of an exchange to the collector once it is over", async () => {
    collected.length = 0;
    await (await chat({ stream: true })).text();
    await vi.waitUntil(() => collected.includes("POST /v1/chat/completions"), { timeout: 4_000 });
    for (const step of ["strait.authenticate", "strait.authorise", "strait.reserve", "chat gpt-4.1", "strait.settle"])
      expect(collected).toContain(step);
  });

  it("stops the upstream and settles when a client hangs up in the middle of a stream", async () => {
    for (const id of regionIds) simulator.simulator.setPace(id, { tokensPerSecond: 10 });
    const before = cancelledUpstream();
    const leaving = new AbortController();
    const response = await chat({ stream: true }, leaving.signal);
    await response.body?.getReader().read();
    leaving.abort();
    await vi.waitUntil(() => cancelledUpstream() === before + 1, { timeout: 5_000 });
    await vi.waitUntil(async () => (await receipt(response.headers.get("x-request-id")))["end"] === "client_cancelled", {
      timeout: 5_000,
    });
  });
});
