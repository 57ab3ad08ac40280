import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openaiClient } from "./harness/clients.ts";
import { Child } from "./harness/child.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import type { TestTenant } from "./harness/operator.ts";
import { listening } from "./harness/start-node.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const upstreams = sharedUpstreams();

/** What a customer keeps of a day: files, and nothing else is needed to check them. */
interface Kept {
  readonly keys: string;
  readonly proof: string;
  readonly checkpoint: string;
}

describe("the log's key, once it is rotated", () => {
  async function strait(...words: readonly string[]): Promise<readonly [code: number | null, output: string]> {
    const child = new Child(process.execPath, ["src/runtime/node/strait.ts", ...words]);
    const code = await child.exited;
    return [code, child.output];
  }

  async function text(url: string, path: string, { key }: Pick<TestTenant, "key">): Promise<string> {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
    return response.text();
  }

  test("signs what comes, and what old and new keys signed is believed by the published set; offline, old files are by an old one", async () => {
    const folder = temporaryFolder();
    const file = (name: string, content: string): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const logKey = join(folder, "log-key.json");
    expect(await strait("log", "rotate", logKey)).toMatchObject([0, expect.anything()]);
    const environment = { STRAIT_DATA_DIR: join(folder, "data"), STRAIT_LOG_KEY: logKey };

    async function keep(url: string, tenant: TestTenant, day: string): Promise<Kept> {
      const { request_id } = await openaiClient(url, tenant.key)
        .chat.completions.create({ model: "gpt-4.1", messages })
        .withResponse();
      const proof = await text(url, `/v1/strait/receipts/${request_id ?? ""}/proof`, tenant);
      return {
        proof: file(`proof-${day}.json`, proof),
        keys: file(`keys-${day}.json`, await text(url, "/.well-known/strait/jwks.json", tenant)),
        checkpoint: file(`checkpoint-${day}.json`, await text(url, "/v1/strait/log/checkpoint", tenant)),
      };
    }

    const first = demo(upstreams(), environment);
    const firstUrl = await listening(first);
    const tenant = await operatorOf(firstUrl).addTenant();
    const monday = await keep(firstUrl, tenant, "monday");
    expect(await strait("log", "rotate", logKey)).toMatchObject([0, expect.stringContaining("Restart every gateway")]);
    // The gateway goes on with the old key until it is started anew.
    const tuesday = await keep(firstUrl, tenant, "tuesday");
    await first.stop();

    const second = demo(upstreams(), environment);
    const url = await listening(second);
    const friday = await keep(url, tenant, "friday");

    const signer = async ({ proof }: Kept, { keys }: Kept): Promise<unknown> => {
      const [code, output] = await strait("receipt", "verify", proof, "--key", keys, "--json");
      return code === 0 ? (JSON.parse(output) as { kid: string }).kid : output;
    };
    const old = await signer(monday, monday);
    const young = await signer(friday, friday);
    expect(young).not.toBe(old);
    expect(await Promise.all([monday, tuesday].map((kept) => signer(kept, friday)))).toEqual([old, old]);
    expect(await signer(tuesday, monday)).toBe(old);
    expect(await signer(friday, monday)).toContain("none of the keys signed");
    const sizes = await Promise.all(
      [monday, friday].map(async ({ proof }) => {
        const [, output] = await strait("receipt", "verify", proof, "--key", friday.keys, "--json");
        return (JSON.parse(output) as { size: number }).size;
      }),
    );
    const consistency = await text(url, `/v1/strait/log/consistency?size=${sizes[0]}&to=${sizes[1]}`, tenant);
    const words = ["log", "verify", monday.checkpoint, friday.checkpoint, "--proof", file("consistency.json", consistency)];
    // The gateway is gone: files alone decide.
    await second.stop();
    expect(await strait(...words, "--key", friday.keys)).toEqual([0, expect.stringContaining("nothing before was changed")]);
    expect(await strait(...words, "--key", monday.keys)).toEqual([1, expect.stringContaining("none of the keys signed")]);
  }, 60_000);
});
