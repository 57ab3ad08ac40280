import { describe, expect, it } from "vitest";
import { demoOperatorKey, isLoopback, readConfig } from "../../src/runtime/worker/config.ts";

describe("a Worker's variables", () => {
  it("make a production gateway without a word", () => {
    const read = readConfig({});
    expect(read).toMatchObject({ ok: true, config: { demo: false, operatorKey: undefined } });
  });

  it("are told all that is wrong with them at once", () => {
    const read = readConfig({
      STRAIT_DEMO: "yes",
      STRAIT_ATTEMPTS: "many",
      STRAIT_LEASE_MS: "1",
      STRAIT_OPERATOR_KEY: "short",
      STRAIT_SECRETS_KEY: "AAAA",
    });
    expect(read.ok ? [] : read.problems).toEqual([
      "STRAIT_ATTEMPTS must be a whole number",
      "STRAIT_LEASE_MS must be between 1000 and 86400000",
      "STRAIT_SECRETS_KEY must be 32 random bytes in base64url, or several such with commas between them",
      'STRAIT_DEMO must be "true" or "false"',
      "STRAIT_OPERATOR_KEY must have at least 24 characters",
    ]);
  });

  it("do not take the demonstration's operator key for a secret", () => {
    expect(readConfig({ STRAIT_OPERATOR_KEY: demoOperatorKey }).ok).toBe(false);
  });

  it("take a simulator of their own on loopback and nowhere else", () => {
    expect(readConfig({ STRAIT_DEMO: "true", STRAIT_SIMULATOR_URL: "http://127.0.0.1:9000" }).ok).toBe(true);
    expect(readConfig({ STRAIT_DEMO: "true", STRAIT_SIMULATOR_URL: "http://127.0.0.1.example" }).ok).toBe(false);
  });
});

describe("loopback", () => {
  it.each(["http://127.0.0.1:8787/x", "http://localhost/", "http://[::1]:1/"])("is %s", (url) =>
    expect(isLoopback(new URL(url))).toBe(true),
  );
  it.each(["http://localhost.example/", "http://strait.workers.dev/", "http://10.0.0.1/"])("is not %s", (url) =>
    expect(isLoopback(new URL(url))).toBe(false),
  );
});
