import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { assemble } from "../../src/runtime/worker/assemble.ts";
import { NotConfigured } from "../../src/runtime/worker/config.ts";
import { newKey } from "../transparency/log-fixture.ts";

const production = { ...env, STRAIT_DEMO: "false" };
const first = new Request("https://strait.example/v1/models");

/** What is wrong with it. */
async function problem(variables: Readonly<Record<string, string>>): Promise<string> {
  const error: unknown = await assemble({ ...production, ...variables }, first).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotConfigured);
  return (error as NotConfigured).message;
}

describe("a production Worker", () => {
  it("is not put together without a key of the log, and says with all else that is wrong how to get one", async () => {
    expect(await problem({})).toMatch(/^STRAIT_LOG_KEY must be set: .*strait log rotate.*wrangler secret put STRAIT_LOG_KEY/);
    expect(await problem({ STRAIT_LOG_KEY: "" })).toContain("STRAIT_LOG_KEY must be set");
    expect(await problem({ STRAIT_ATTEMPTS: "many" })).toMatch(
      /STRAIT_ATTEMPTS must be a whole number; STRAIT_LOG_KEY must be set/,
    );
  });

  it("is not put together with a key that cannot sign, and shows nothing of it", async () => {
    const { d = "", ...withoutPrivatePart } = await newKey();
    expect(await problem({ STRAIT_LOG_KEY: JSON.stringify(withoutPrivatePart) })).toBe(
      "STRAIT_LOG_KEY cannot be used: no key has its private part `d`",
    );
    const unusable = await problem({ STRAIT_LOG_KEY: `{"d":"${d}"` });
    expect(unusable).toContain("STRAIT_LOG_KEY cannot be used");
    expect(unusable).not.toContain(d);
  });

  it("is put together with a key that can", async () => {
    const bindings = { ...production, STRAIT_LOG_KEY: JSON.stringify(await newKey()) };
    await expect(assemble(bindings, first)).resolves.toBeDefined();
  });
});

describe("a demonstration Worker", () => {
  it("needs no setting", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    await expect(assemble(env, first)).resolves.toBeDefined();
    vi.restoreAllMocks();
  });
});
