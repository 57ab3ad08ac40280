import { describe, expect, it } from "vitest";
import type { ModelRequest } from "../../src/dialect/model-request.ts";
import { readModelRequest } from "../../src/dialect/read-request.ts";

const encoder = new TextEncoder();

function read(more: object): ModelRequest {
  const read = readModelRequest(
    "chat.completions",
    encoder.encode(JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], ...more })),
    undefined,
  );
  if (!read.ok) throw new Error(JSON.stringify(read.refusal));
  return read.value;
}

const said = (content: unknown): ModelRequest["prompt"] => read({ messages: [{ role: "user", content }] }).prompt;

describe("the measure of a prompt", () => {
  it.each([
    ["Chinese", "海峡的潮水", 15, 15],
    ["Japanese", "かなカナ", 12, 12],
    ["Korean", "한국어", 9, 9],
    ["Arabic", "مضيق", 8, 0],
    ["emoji", "🌊🌊", 8, 0],
    ["Cyrillic beside Chinese", "море海", 11, 3],
    ["English", "strait", 0, 0],
  ])("counts %s by its own script", (_, text, otherBytes, cjkBytes) => {
    expect(said(text)).toMatchObject({ otherBytes, cjkBytes });
  });

  it("takes recorded speech for what it is, and not for the text that its Base64 looks like", () => {
    const data = "UklGR".repeat(1_000);
    const spoken = said([
      { type: "text", text: "listen" },
      { type: "input_audio", input_audio: { data, format: "wav" } },
    ]);
    expect(spoken.audioBytes).toBe(5_000);
    expect(spoken.asciiBytes).toBeLessThan(250);
    expect(said([{ type: "input_audio", input_audio: "nonsense" }]).audioBytes).toBe(0);
  });
});

describe("the tier of service", () => {
  it("is read where it is asked for, and refused where a name of it could be missed", () => {
    expect(read({ service_tier: "priority" }).serviceTier).toBe("priority");
    expect(read({}).serviceTier).toBeUndefined();
    const lookalike = readModelRequest(
      "chat.completions",
      encoder.encode('{"model":"m","messages":[{"role":"user","content":"hi"}],"Service_Tier":"priority"}'),
      undefined,
    );
    expect(lookalike).toMatchObject({ ok: false, refusal: { kind: "unsupported_field", param: "Service_Tier" } });
  });
});
