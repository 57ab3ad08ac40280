import { describe, expect, it } from "vitest";
import { DocumentBody } from "../../src/upstream/body.ts";
import { StreamMeter } from "../../src/upstream/meter.ts";
import { mergeUsage, readUsage } from "../../src/upstream/read-usage.ts";
import { unknownUsage, type MeteredUsage } from "../../src/upstream/usage.ts";
import { namedSse, sse } from "./streams.ts";

const encoder = new TextEncoder();
const spoken = {
  prompt_tokens: 120,
  completion_tokens: 90,
  total_tokens: 210,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 80, text_tokens: 30, image_tokens: 10 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 70, text_tokens: 20 },
};

describe("usage", () => {
  it("tells speech and pictures from text, and a zero from what is not said", () => {
    expect(readUsage(spoken)).toMatchObject({
      inputTokens: 120,
      outputTokens: 90,
      audioInputTokens: 80,
      imageInputTokens: 10,
      audioOutputTokens: 70,
    });
    const silent = readUsage({ ...spoken, prompt_tokens_details: { audio_tokens: 0 }, completion_tokens_details: {} });
    expect(silent?.audioInputTokens).toBe(0);
    expect(Object.keys(silent ?? {})).not.toContain("audioOutputTokens");
    const response = {
      input_tokens: 9,
      output_tokens: 8,
      total_tokens: 17,
      input_tokens_details: { image_tokens: 4, audio_tokens: 3 },
      output_tokens_details: { audio_tokens: 2 },
    };
    expect(readUsage(response)).toMatchObject({ audioInputTokens: 3, imageInputTokens: 4, audioOutputTokens: 2 });
  });

  it("tells what is kept in the cache for an hour, and which tier of service it was", () => {
    const messages = {
      input_tokens: 5,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      output_tokens: 2,
      service_tier: "priority",
    };
    expect(readUsage(messages)).toMatchObject({
      inputTokens: 35,
      cacheWriteTokens: 30,
      cacheWriteLongTokens: 20,
      serviceTier: "priority",
    });
    expect(readUsage(spoken, "flex")?.serviceTier).toBe("flex");
    expect(readUsage(spoken, null)).not.toHaveProperty("serviceTier");
  });

  it("keeps what a later report leaves out, and takes what it says anew", () => {
    const earlier: MeteredUsage = { ...unknownUsage, inputTokens: 5, audioInputTokens: 3, serviceTier: "auto" };
    expect(mergeUsage(earlier, { ...unknownUsage, outputTokens: 7, serviceTier: "default" })).toEqual({
      ...unknownUsage,
      inputTokens: 5,
      outputTokens: 7,
      audioInputTokens: 3,
      serviceTier: "default",
    });
  });
});

describe("the tier of service", () => {
  it("is read from a document, wherever in it it stands", () => {
    for (const text of [
      `{"service_tier":"priority","usage":${JSON.stringify(spoken)}}`,
      `{"usage":${JSON.stringify(spoken)},"choices":[],"service_tier":"priority"}`,
    ]) {
      const body = new DocumentBody();
      body.push(encoder.encode(text), () => undefined);
      expect(body.reading.usage).toMatchObject({ serviceTier: "priority", audioInputTokens: 80 });
    }
  });

  it("is read from a chunk with usage, and from the last event of a response, held or skimmed", () => {
    const chat = new StreamMeter("chat.completions", true);
    chat.observe(encoder.encode(sse([{ choices: [], service_tier: "flex", usage: spoken }])));
    expect(chat.usage).toMatchObject({ serviceTier: "flex", audioOutputTokens: 70 });
    const response = {
      id: "resp_1",
      service_tier: "priority",
      output: [],
      usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
    };
    const bytes = encoder.encode(namedSse([{ type: "response.completed", response } as { type: string }]));
    const held = new StreamMeter("responses", true);
    held.observe(bytes);
    const skimmed = new StreamMeter("responses", true);
    skimmed.skim(bytes.subarray(0, 60), false);
    skimmed.skim(bytes.subarray(60), true);
    for (const meter of [held, skimmed]) expect(meter.usage).toMatchObject({ serviceTier: "priority", outputTokens: 4 });
  });
});
