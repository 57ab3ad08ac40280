import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { Pace, RegionProfile } from "../../src/simulator/profile.ts";
import { createSimulatedRegion, type SimulatedRegion } from "../../src/simulator/simulated-region.ts";
import { tokensOf } from "../../src/simulator/tokens.ts";
import { ManualClock, settle } from "./manual-clock.ts";
import { allRegions, openaiRegion, seededEntropy } from "./running.ts";

function region(
  clock: Clock = new ManualClock(),
  pace: Partial<Pace> = {},
  profiles: readonly RegionProfile[] = allRegions,
): SimulatedRegion {
  return createSimulatedRegion({ profiles, clock, entropy: seededEntropy(7), pace });
}

function chatRequest(fields: Readonly<Record<string, unknown>> = {}, signal: AbortSignal | null = null): Request {
  return new Request("http://simulated/openai-eu/v1/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer any" },
    body: JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "hello" }], ...fields }),
    signal,
  });
}

describe("the Web handler", () => {
  it("gives the same bytes for the same clock, entropy and requests", async () => {
    const texts = await Promise.all(
      [region(), region()].map(async (simulated) => {
        const whole = await simulated.fetch(chatRequest());
        const streamed = await simulated.fetch(chatRequest({ stream: true }));
        return [[...whole.headers], await whole.text(), [...streamed.headers], await streamed.text()];
      }),
    );
    expect(texts[0]).toEqual(texts[1]);
  });

  it("rejects where the connection is reset before the head, and fails the body where it is reset after", async () => {
    const simulated = region();
    simulated.setFault("openai-eu", [
      { kind: "reset", times: 1 },
      { kind: "reset", afterEvents: 2, times: 1 },
    ]);
    await expect(simulated.fetch(chatRequest())).rejects.toThrow("reset the connection");
    const response = await simulated.fetch(chatRequest({ stream: true }));
    await expect(response.text()).rejects.toThrow("reset the connection");
    expect(simulated.stats("openai-eu")).toMatchObject({ cut: 2, open: 0 });
  });

  it("counts a cancelled stream whether the body is cancelled or the request aborted, read from or not", async () => {
    const simulated = region();
    const unread = await simulated.fetch(chatRequest({ stream: true }));
    await unread.body?.cancel();
    const controller = new AbortController();
    await simulated.fetch(chatRequest({ stream: true }, controller.signal));
    controller.abort();
    await settle();
    expect(simulated.stats("openai-eu")).toMatchObject({ requests: 2, cancelled: 2, open: 0 });
  });

  it("answers a region that it does not simulate with 404", async () => {
    const response = await region().fetch(new Request("http://simulated/atlantis/v1/models"));
    expect(response.status).toBe(404);
    expect(await response.text()).toContain("atlantis");
    expect(() => region().setFault("atlantis", undefined)).toThrow(RangeError);
  });

  it("answers paths and methods that the provider does not have as the provider does", async () => {
    const simulated = region();
    const unknown = await simulated.fetch(new Request("http://simulated/openai-eu/v1/nothing", { method: "POST" }));
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { message: "Invalid URL (POST /v1/nothing)" } });
    const wrong = await simulated.fetch(new Request("http://simulated/openai-eu/v1/embeddings"));
    expect(wrong.status).toBe(405);
  });

  it("refuses a body that is not an object", async () => {
    const request = (body: string): Request =>
      new Request("http://simulated/openai-eu/v1/chat/completions", {
        method: "POST",
        headers: { authorization: "Bearer any" },
        body,
      });
    for (const body of ["{", "[]", "", "null"]) expect((await region().fetch(request(body))).status).toBe(400);
  });

  it("takes over changed profiles and keeps what a region remembers", async () => {
    const simulated = region();
    await simulated.fetch(chatRequest());
    simulated.setProfiles([{ ...openaiRegion, deployments: [] }]);
    const gone = await simulated.fetch(chatRequest());
    expect(gone.status).toBe(404);
    expect(simulated.stats("openai-eu").requests).toBe(2);
    expect(() => simulated.stats("swedencentral")).toThrow(RangeError);
  });
});

describe("the pace", () => {
  it("waits for the latency before the head", async () => {
    const clock = new ManualClock();
    let answered = false;
    const pending = region(clock, { latencyMs: 250 })
      .fetch(chatRequest())
      .then((response) => {
        answered = true;
        return response;
      });
    await clock.pass(249);
    expect(answered).toBe(false);
    await clock.pass(1);
    expect(answered).toBe(true);
    expect((await pending).headers.get("openai-processing-ms")).toBe("250");
  });

  it("streams as many tokens a second as it is told", async () => {
    const clock = new ManualClock();
    const simulated = region(clock, { tokensPerSecond: 20, answerTokens: 40 });
    const response = await simulated.fetch(chatRequest({ stream: true }));
    const reading = response.text();
    await clock.pass(1000);
    expect(simulated.stats("openai-eu")).toMatchObject({ outputTokens: 20, open: 1 });
    await clock.pass(1000);
    expect(simulated.stats("openai-eu")).toMatchObject({ outputTokens: 40, open: 0, completed: 1 });
    expect(await reading).toMatch(/\[DONE\]/);
  });

  it("gives answers of the length that it is told, and a profile's own pace wins", async () => {
    const length = async (simulated: SimulatedRegion): Promise<unknown> => {
      const response = await simulated.fetch(chatRequest());
      return ((await response.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens;
    };
    const clock = new ManualClock();
    expect(await length(region(clock, { answerTokens: 1000 }))).toBe(1000);
    expect(await length(region(clock, { answerTokens: 7 }))).toBe(7);
    expect(await length(region(clock, { answerTokens: 7 }, [{ ...openaiRegion, pace: { answerTokens: 9 } }]))).toBe(9);
    const changed = region(clock);
    changed.setPace("openai-eu", { answerTokens: 11 });
    expect(await length(changed)).toBe(11);
  });
});

describe("the text of an answer", () => {
  it("is the same whole and streamed, costs what usage says, and is never above the ceiling", async () => {
    const simulated = region();
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme", maxLength: 40 }),
        fc.integer({ min: 1, max: 120 }),
        fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined }),
        async (displayName, maxTokens, answerTokens) => {
          simulated.setProfiles([{ ...openaiRegion, displayName }]);
          simulated.setPace("openai-eu", { answerTokens });
          const whole = (await (await simulated.fetch(chatRequest({ max_tokens: maxTokens }))).json()) as {
            choices: { message: { content: string } }[];
            usage: { completion_tokens: number };
          };
          const streamed = await (await simulated.fetch(chatRequest({ max_tokens: maxTokens, stream: true }))).text();
          const text = whole.choices[0]?.message.content ?? "";
          const deltas = [...streamed.matchAll(/^data: (\{.*\})$/gm)].map(
            (match) =>
              (JSON.parse(match[1] ?? "") as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? "",
          );
          expect(deltas.join("")).toBe(text);
          expect(whole.usage.completion_tokens).toBe(tokensOf(text));
          expect(tokensOf(text)).toBeLessThanOrEqual(maxTokens);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("counts UTF-8 as an encoder does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokensOf(text)).toBe(Math.ceil(new TextEncoder().encode(text).length / 4));
      }),
    );
  });
});
