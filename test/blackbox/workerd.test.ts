import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openaiClient } from "./harness/clients.ts";
import { Child } from "./harness/child.ts";
import type { GatewayUnderTest } from "./harness/gateway-under-test.ts";
import { eventually } from "./harness/receipts.ts";
import { startWorkerd } from "./harness/start-workerd.ts";
import { blackBoxSuite } from "./suite.ts";

blackBoxSuite("workerd", startWorkerd, { noticesEarlyHangUp: "once the head is written", addressCheck: "not-visible" });

const messages = [{ role: "user" as const, content: "Where do you run?" }];

describe("npx wrangler dev, with no setting at all", () => {
  let gateway: GatewayUnderTest;
  beforeAll(async () => {
    // Without an upstream of the test's, so that the simulator inside the Worker answers.
    gateway = await startWorkerd({ environment: { STRAIT_OPERATOR_KEY: "", STRAIT_SIMULATOR_URL: "" } });
  }, 90_000);
  afterAll(() => gateway?.stop(), 30_000);

  test("prints two tenants' keys, which work", async () => {
    const [chinese = "", singaporean = ""] = gateway.output().match(/sk-strait-demo_(cn|sg)-\S{52}$/gm) ?? [];
    const answer = await openaiClient(gateway.url, chinese).chat.completions.create({ model: "gpt-4.1", messages });
    expect(answer.choices[0]?.message.content).toMatch(/^Simulated answer/);
    expect(gateway.seen).toEqual([]);
    expect((await openaiClient(gateway.url, singaporean).models.list()).data.map((model) => model.id)).toContain(
      "claude-opus-4-5",
    );
  });

  test("says how to get another key, and the line that it prints works", async () => {
    const [, operatorKey = "", command = ""] = /STRAIT_OPERATOR_KEY=(\S+) npx strait (.+)$/m.exec(gateway.output()) ?? [];
    const shell = new Child(process.execPath, ["src/runtime/node/strait.ts", ...command.split(" ")], {
      environment: { STRAIT_OPERATOR_KEY: operatorKey },
    });
    expect([await shell.exited, shell.output]).toEqual([0, expect.stringMatching(/^sk-strait-demo_cn-/)]);
    const key = shell.output.split("\n")[0] ?? "";
    await openaiClient(gateway.url, key).chat.completions.create({ model: "gpt-4.1", messages });
  });
});

describe("a production Worker without the log's key", () => {
  let gateway: GatewayUnderTest;
  beforeAll(async () => {
    gateway = await startWorkerd({ credential: "a-credential-of-the-test", environment: { STRAIT_LOG_KEY: "" } });
  }, 90_000);
  afterAll(() => gateway?.stop(), 30_000);

  test("serves nobody, and says how to give it one", async () => {
    for (const path of ["/healthz", "/v1/models", "/v1/chat/completions", "/control/v1/tenants"]) {
      const response = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${gateway.operatorKey}` } });
      expect([response.status, await response.text()]).toEqual([500, expect.stringContaining("npx strait log rotate")]);
    }
    await eventually(() => expect(gateway.output()).toContain("STRAIT_LOG_KEY must be set"));
    expect(gateway.seen).toEqual([]);
  });
});

describe("a Worker with an operator key of its own", () => {
  let gateway: GatewayUnderTest;
  beforeAll(async () => {
    gateway = await startWorkerd();
  }, 90_000);
  afterAll(() => gateway?.stop(), 30_000);

  test("neither takes the demonstration's, which everybody knows, nor speaks of it", async () => {
    const response = await fetch(`${gateway.url}/control/v1/tenants`, {
      headers: { authorization: "Bearer sk-operator-demonstration-only" },
    });
    expect([response.status, await response.text()]).toEqual([401, expect.any(String)]);
    expect(gateway.output()).toContain("demonstration mode");
    expect(gateway.output()).not.toContain("sk-operator-demonstration-only");
    expect(gateway.output()).not.toContain(gateway.operatorKey);
  });
});
