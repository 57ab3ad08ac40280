import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { simulated } from "../../src/runtime/worker/simulated-region.ts";
import { WorkerTransport, type Fetch } from "../../src/runtime/worker/transport.ts";
import type { HeaderList } from "../../src/edge.ts";
import type { TransportFailure, UpstreamCall, UpstreamListener, UpstreamRequest } from "../../src/upstream/transport.ts";
import type { Fault } from "../../src/simulator/faults.ts";

const region = "japaneast";
const simulator: Fetch = (request) => (env.SIMULATOR as Fetcher).fetch(request);

function chat(stream: boolean): UpstreamRequest {
  return {
    method: "POST",
    origin: "http://simulator.invalid",
    path: `/${region}/openai/deployments/gpt-4.1/chat/completions?api-version=2025-04-01-preview`,
    headers: ["content-type", "application/json", "api-key", "simulated"],
    body: new TextEncoder().encode(JSON.stringify({ model: "gpt-4.1", stream, messages: [{ role: "user", content: "Where?" }] })),
  };
}

/** Writes down what a listener is told, and does what it is bid when it is told it. */
class Recorder implements UpstreamListener {
  readonly told: string[] = [];
  readonly over: Promise<void>;
  text = "";
  headers: HeaderList = [];
  failure: TransportFailure | undefined;
  onData: () => void = () => undefined;
  readonly #finish: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#finish = resolve;
  }

  connected(): void {
    this.told.push("connected");
  }
  head(status: number, headers: HeaderList): void {
    this.told.push(`head ${status}`);
    this.headers = headers;
  }
  data(bytes: Uint8Array): void {
    if (this.told.at(-1) !== "data") this.told.push("data");
    this.text += new TextDecoder().decode(bytes);
    this.onData();
  }
  end(): void {
    this.told.push("end");
    this.#finish();
  }
  fail(failure: TransportFailure): void {
    this.told.push("fail");
    this.failure = failure;
    this.#finish();
  }
}

function send(request: UpstreamRequest, fetch: Fetch = simulator): { readonly call: UpstreamCall; readonly seen: Recorder } {
  const seen = new Recorder();
  return { call: new WorkerTransport(fetch).send(request, seen), seen };
}

/** A body that never ends and makes nothing before it is asked for. */
class Endless {
  pulled = 0;
  cancelled = false;
  readonly stream: ReadableStream<Uint8Array>;

  constructor(pieceBytes: number) {
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          this.pulled++;
          controller.enqueue(new Uint8Array(pieceBytes));
        },
        cancel: () => {
          this.cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

afterEach(() => {
  simulated().setFault(region, undefined);
  simulated().setPace(region, { latencyMs: 0, tokensPerSecond: 0, answerTokens: undefined });
});

describe("a call", () => {
  it("is told in order: connected, head, data, end", async () => {
    const { seen } = send(chat(false));
    expect(seen.told).toEqual([]);
    await seen.over;
    expect(seen.told).toEqual(["connected", "head 200", "data", "end"]);
    expect(JSON.parse(seen.text)).toMatchObject({ object: "chat.completion" });
    expect(seen.headers).toContain("x-ms-region");
  });

  it("gets a stream as it comes", async () => {
    simulated().setPace(region, { tokensPerSecond: 200 });
    const { seen } = send(chat(true));
    let pieces = 0;
    seen.onData = () => pieces++;
    await seen.over;
    expect(pieces).toBeGreaterThan(3);
    expect(seen.text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it.each([
    ["a reset before the head", { kind: "reset" }, ["connected", "fail"]],
    ["a reset in the body", { kind: "reset", afterEvents: 3 }, ["connected", "head 200", "data", "fail"]],
    ["a body that ends too early", { kind: "truncation", afterEvents: 3 }, ["connected", "head 200", "data", "end"]],
    ["an error status", { kind: "status", status: 503 }, ["connected", "head 503", "data", "end"]],
  ] satisfies [string, Fault, string[]][])("reports %s once", async (_name, fault, told) => {
    simulated().setFault(region, fault);
    const { seen } = send(chat(true));
    await seen.over;
    await pause(20);
    expect(seen.told).toEqual(told);
  });

  it("follows no redirect", async () => {
    simulated().setFault(region, { kind: "redirect", location: "http://elsewhere.invalid/" });
    const { seen } = send(chat(false));
    await seen.over;
    expect(seen.told[1]).toMatch(/^head 30\d$/);
    expect(seen.headers).toContain("http://elsewhere.invalid/");
  });

  it("that cannot even be formed fails before it is sent", async () => {
    const fetch = vi.fn(simulator);
    const { seen } = send({ ...chat(false), origin: "no origin" }, fetch);
    await seen.over;
    expect(seen.failure?.phase).toBe("connect");
    expect(fetch).not.toHaveBeenCalled();
  });

  it("that fails on its way counts as one that may have arrived", async () => {
    const { seen } = send(chat(false), () => Promise.reject(new Error("network connection lost")));
    await seen.over;
    expect(seen.told).toEqual(["connected", "fail"]);
    expect(seen.failure).toEqual({ phase: "response", message: "Error: network connection lost" });
  });
});

describe("the caller", () => {
  it("that pauses stops the upstream, and resumes it", async () => {
    const endless = new Endless(1_024);
    const { call, seen } = send(chat(true), () => Promise.resolve(new Response(endless.stream)));
    seen.onData = () => call.pause();
    await vi.waitUntil(() => seen.told.includes("data"));
    await pause(30);
    const whilePaused = endless.pulled;
    expect(whilePaused).toBeLessThan(5);
    call.resume();
    await vi.waitUntil(() => endless.pulled > whilePaused);
    call.abort();
  });

  it("that aborts hears nothing more, and the upstream's body is cancelled", async () => {
    let cancelled = false;
    const silent = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
      cancel: () => void (cancelled = true),
    });
    let signal: AbortSignal | undefined;
    const { call, seen } = send(chat(true), (request) => {
      signal = request.signal;
      return Promise.resolve(new Response(silent));
    });
    seen.onData = () => call.abort();
    await vi.waitUntil(() => cancelled, { timeout: 2_000 });
    expect(signal?.aborted).toBe(true);
    expect(seen.told).toEqual(["connected", "head 200", "data"]);
  });

  it("that aborts while it waits for the head ends the request at the upstream", async () => {
    simulated().setFault(region, { kind: "stall" });
    const { call, seen } = send(chat(true));
    await vi.waitUntil(() => simulated().stats(region).requests > 0);
    call.abort();
    await pause(50);
    expect(seen.told).toEqual(["connected"]);
  });

  it("that aborts at once sends nothing", async () => {
    const fetch = vi.fn(simulator);
    send(chat(false), fetch).call.abort();
    await pause(10);
    expect(fetch).not.toHaveBeenCalled();
  });

  it("that discards hears nothing more, and a large rest is not read to its end", async () => {
    const endless = new Endless(8_192);
    const { call, seen } = send(chat(true), () => Promise.resolve(new Response(endless.stream)));
    seen.onData = () => call.discard();
    await vi.waitUntil(() => endless.cancelled, { timeout: 2_000 });
    expect(endless.pulled).toBeLessThan(20);
    expect(seen.told).toEqual(["connected", "head 200", "data"]);
  });
});
