import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openaiClient } from "./harness/clients.ts";
import { regionsDir } from "./harness/catalogue.ts";
import { Child } from "./harness/child.ts";
import { demo, operatorOf, sharedUpstreams, started, temporaryFolder } from "./harness/one-test.ts";
import { eventually, receiptOf } from "./harness/receipts.ts";
import { listening, testOperatorKey } from "./harness/start-node.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const startMs = 30_000;
const upstreams = sharedUpstreams();

describe("the regions folder", () => {
  function copiedRegions(): string {
    const folder = join(temporaryFolder(), "regions");
    cpSync(regionsDir, folder, { recursive: true });
    return folder;
  }

  function spoil(folder: string, file: string, from: RegExp, to: string): string {
    const path = join(folder, file);
    const before = readFileSync(path, "utf8");
    expect(before).toMatch(from);
    writeFileSync(path, before.replace(from, to));
    return before;
  }

  test(
    "is checked without starting, with exit code 0 where it holds",
    async () => {
      const child = started(["--check"], { STRAIT_REGIONS_DIR: copiedRegions() });
      expect(await child.exited).toBe(0);
      expect(child.output).toMatch(/is valid: \d+ regions, \d+ deployments, \d+ models/);
      expect(child.output).not.toContain("listening");
    },
    startMs,
  );

  test(
    "with mistakes in several files has all of them printed with file and line, by --check and at a start alike",
    async () => {
      const folder = copiedRegions();
      spoil(folder, "japaneast.toml", /^country = "JP"$/m, 'country = "XX"');
      spoil(folder, "eastus2.toml", /^sku = "Standard"$/m, 'sku = "Sometimes"');
      spoil(folder, "policy.toml", /^kind = "own_jurisdiction"$/m, 'kind = "whim"');
      const check = started(["--check"], { STRAIT_REGIONS_DIR: folder });
      expect(await check.exited).toBe(1);
      for (const file of ["japaneast", "eastus2", "policy"])
        expect(check.output).toMatch(new RegExp(`regions/${file}\\.toml:\\d+`));
      const start = started(["--demo"], {
        STRAIT_REGIONS_DIR: folder,
        STRAIT_DATA_DIR: temporaryFolder(),
        STRAIT_SIMULATOR_URL: upstreams().url,
      });
      expect(await start.exited).toBe(1);
      expect(start.output).toBe(check.output);
    },
    startMs,
  );

  test(
    "is read again when it changes, and where the change does not hold the old one stands, and the log says why",
    async () => {
      const folder = copiedRegions();
      const child = demo(upstreams(), { STRAIT_REGIONS_DIR: folder, STRAIT_DATA_DIR: temporaryFolder() });
      const url = await listening(child);
      const tenant = await operatorOf(url).addTenant();
      const client = openaiClient(url, tenant.key);
      const policyVersion = async (): Promise<string> => {
        const { request_id } = await client.chat.completions.create({ model: "gpt-4.1", messages }).withResponse();
        return (await receiptOf(url, tenant.key, request_id ?? "")).policyVersion;
      };
      spoil(folder, "policy.toml", /^version = .*$/m, 'version = "test-2"');
      await eventually(async () => expect(await policyVersion()).toBe("test-2"));
      const before = spoil(folder, "policy.toml", /^kind = "own_jurisdiction"$/m, 'kind = "whim"');
      await child.waitFor(/not taken over.*\n.*regions\/policy\.toml:\d+/, 5_000);
      expect(await policyVersion()).toBe("test-2");
      writeFileSync(join(folder, "policy.toml"), before.replace("test-2", "test-3"));
      await eventually(async () => expect(await policyVersion()).toBe("test-3"));
    },
    startMs,
  );
});

describe("npm start", () => {
  test(
    "is up within three seconds, and prints two tenants' keys and a line for the shell that works; the second start shows no key",
    async () => {
      const data = temporaryFolder();
      const environment = { STRAIT_DATA_DIR: data };
      const startedAtMs = performance.now();
      const first = started(["--demo"], environment);
      const url = await listening(first);
      const tookMs = performance.now() - startedAtMs;
      const [curl] = await first.waitFor(/^curl .*$/m, 5_000);
      expect(tookMs).toBeLessThan(3_000);
      const keys = first.output.match(/sk-strait-demo_(cn|sg)-\S{52}$/gm) ?? [];
      expect(keys.length).toBe(2);
      expect(first.output).toContain("no model is called");

      const shell = new Child("sh", ["-c", `${curl} --silent --show-error`]);
      expect(await shell.exited).toBe(0);
      expect(JSON.parse(shell.output)).toMatchObject({
        object: "chat.completion",
        choices: [{ message: { content: expect.stringContaining("Simulated answer") } }],
      });

      const [chinese = "", singaporean = ""] = keys;
      const listOf = async (key: string) => (await openaiClient(url, key).models.list()).data.map((model) => model.id);
      expect((await listOf(chinese)).filter((id) => id.startsWith("claude"))).toEqual([]);
      expect(await listOf(singaporean)).toContain("claude-opus-4-5");
      const answer = await fetch(`${url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": chinese, "content-type": "application/json" },
        body: JSON.stringify({ model: "claude-haiku-4-5", max_tokens: 20, messages }),
      });
      expect([answer.status, await answer.json()]).toEqual([
        403,
        expect.objectContaining({
          error: { type: "permission_error", message: expect.stringMatching(/^Anthropic does not serve .*\(rule ownership: /) },
        }),
      ]);
      await first.stop();

      const second = started(["--demo"], environment);
      await listening(second);
      await second.waitFor(/keys were shown at the first start/, 5_000);
      expect(second.output).not.toMatch(/sk-strait-demo_\w+-\S{52}/);
      expect(second.output).not.toContain("sk-operator-");
      expect(readdirSync(data)).toContain("operator-key");
    },
    startMs,
  );
});

describe("production", () => {
  test.each([
    ["without an operator key", {}, /STRAIT_OPERATOR_KEY/],
    [
      "on PostgreSQL without a key that all replicas sign the log by",
      { STRAIT_OPERATOR_KEY: testOperatorKey, STRAIT_DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" },
      /STRAIT_LOG_KEY/,
    ],
    ["without any region's credential", { STRAIT_OPERATOR_KEY: testOperatorKey }, /No region has a credential/],
    [
      "with settings that are none, and names them all",
      { PORT: "many", STRAIT_LEASE_MS: "1", STRAIT_SECRETS_KEY: "AAAA" },
      /PORT must be a whole number\n.*STRAIT_LEASE_MS must be between.*\n.*STRAIT_SECRETS_KEY must be 32 random bytes/,
    ],
  ])(
    "does not start %s",
    async (_what, environment, expected) => {
      const child = started([], { STRAIT_DATA_DIR: temporaryFolder(), ...environment });
      expect(await child.exited).toBe(2);
      expect(child.output).toMatch(expected);
    },
    startMs,
  );
});

describe("Expect: 100-continue", () => {
  /** Sends a head alone, and a body once it is told to go on; gives all that came back. */
  function expecting(url: string, key: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      let received = "";
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `POST /v1/chat/completions HTTP/1.1\r\nhost: test\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n` +
            `content-length: ${body.length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`,
        );
      });
      socket.setTimeout(5_000, () => socket.destroy(new Error(`nothing more came after: ${received}`)));
      socket.setEncoding("utf8");
      socket.on("data", (text: string) => {
        const waiting = !received.includes("100 Continue");
        received += text;
        if (waiting && received.includes("HTTP/1.1 100 Continue\r\n\r\n")) socket.write(body);
        // A refusal leaves the body unsent: the client goes.
        if (waiting && /^HTTP\/1\.1 4\d\d /.test(received)) socket.end();
      });
      socket.on("close", () => resolve(received));
      socket.on("error", reject);
    });
  }

  test(
    "is answered to who may send, and refused to who may not before a byte of the body is asked for",
    async () => {
      const url = await listening(demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder() }));
      const tenant = await operatorOf(url).addTenant();
      const body = JSON.stringify({ model: "gpt-4.1", messages });
      const answered = await expecting(url, tenant.key, body);
      expect(answered).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
      expect(answered).toContain("Simulated answer");
      const refused = await expecting(url, "sk-strait-nobody", body);
      expect(refused).toMatch(/^HTTP\/1\.1 401 /);
    },
    startMs,
  );
});
