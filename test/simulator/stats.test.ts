import { describe, expect, it, vi } from "vitest";
import { tokensOf } from "../../src/simulator/tokens.ts";
import type { SeenRequest } from "../../src/simulator/simulated-region.ts";
import { chat, running } from "./running.ts";

describe("what a simulated region counts", () => {
  it("counts requests, bytes, tokens and statuses, and shows them to another process", async () => {
    const { url } = await running();
    const answer = await (await chat(url)).text();
    const missing = await (await chat(url, { model: "gpt-9" })).text();
    const { choices } = JSON.parse(answer) as { choices: { message: { content: string } }[] };
    expect(await (await fetch(`${url}/openai-eu/_stats`)).json()).toEqual({
      requests: 2,
      open: 0,
      completed: 2,
      cancelled: 0,
      cut: 0,
      bytes: answer.length + missing.length,
      events: 0,
      inputTokens: 2,
      outputTokens: tokensOf(choices[0]?.message.content ?? ""),
      statuses: { 200: 1, 404: 1 },
    });
  });

  it("shows all regions at once", async () => {
    const { url } = await running();
    await chat(url);
    const { regions } = (await (await fetch(`${url}/_stats`)).json()) as { regions: Record<string, { requests: number }> };
    expect(Object.keys(regions)).toEqual(["swedencentral", "openai-eu", "openai-us", "anthropic-us"]);
    expect(regions["openai-eu"]?.requests).toBe(1);
    expect(regions["anthropic-us"]?.requests).toBe(0);
  });

  it("counts the events and bytes of a stream", async () => {
    const { url, simulator } = await running();
    const text = await (await chat(url, { stream: true })).text();
    expect(simulator.stats("openai-eu")).toMatchObject({
      events: text.split("\n\n").length - 1,
      bytes: text.length,
      completed: 1,
      open: 0,
    });
  });

  it("notices a client that hangs up in the middle of a stream, stops, and counts it once", async () => {
    const { url, simulator } = await running({ pace: { tokensPerSecond: 50, answerTokens: 10_000 } });
    const controller = new AbortController();
    const response = await chat(url, { stream: true }, { signal: controller.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    expect(simulator.stats("openai-eu")).toMatchObject({ open: 1, cancelled: 0 });
    controller.abort();
    await vi.waitFor(() => expect(simulator.stats("openai-eu")).toMatchObject({ open: 0, cancelled: 1, completed: 0, cut: 0 }));
    const { events } = simulator.stats("openai-eu");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(simulator.stats("openai-eu").events).toBe(events);
  });

  it("notices a client that hangs up while it waits for the head", async () => {
    const { url, simulator } = await running({ pace: { latencyMs: 60_000 } });
    await expect(chat(url, {}, { signal: AbortSignal.timeout(30) })).rejects.toThrow(/timeout/);
    await vi.waitFor(() => expect(simulator.stats("openai-eu")).toMatchObject({ open: 0, cancelled: 1 }));
  });

  it("makes no more of an answer than a client that does not read takes in", async () => {
    const { url, simulator } = await running({ pace: { answerTokens: 400_000 } });
    const response = await chat(url, { stream: true });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const held = simulator.stats("openai-eu").events;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(simulator.stats("openai-eu")).toMatchObject({ open: 1, events: held });
    expect(held).toBeLessThan(100_000);
    await response.body?.cancel();
  });

  it("lets a test see what reached the provider, and control paths are no part of that", async () => {
    const seen: SeenRequest[] = [];
    const { url } = await running({ observe: (request) => seen.push(request) });
    await chat(url);
    await fetch(`${url}/openai-eu/_stats`);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ regionId: "openai-eu", method: "POST", path: "/v1/chat/completions", query: "" });
    expect(seen[0]?.header("authorization")).toBe("Bearer any");
  });
});
