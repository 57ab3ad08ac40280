import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { drain, openaiClient } from "./harness/clients.ts";
import { regionsWithin } from "./harness/catalogue.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import type { TestTenant } from "./harness/operator.ts";
import { eventually, receiptLater, receiptOf } from "./harness/receipts.ts";
import { listening } from "./harness/start-node.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const startMs = 30_000;
const upstreams = sharedUpstreams();

interface SlowStream {
  readonly requestId: string;
  readonly rest: ReturnType<typeof drain<OpenAI.ChatCompletionChunk>>;
}

/** Opens a stream that goes on for seconds, and comes back once its first event was read. */
async function slowStream(url: string, tenant: TestTenant): Promise<SlowStream> {
  const [region = ""] = regionsWithin("gpt-4o-mini", ["JP"]);
  upstreams().faults(region, [{ kind: "slow", delayMs: 60 }]);
  const { data, request_id } = await openaiClient(url, tenant.key)
    .chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })
    .withResponse();
  const iterator = data[Symbol.asyncIterator]();
  await iterator.next();
  return { requestId: request_id ?? "", rest: drain({ [Symbol.asyncIterator]: () => iterator }) };
}

const oneAtOnce = { name: "concurrent", unit: "concurrent", window: "open", ceiling: 1 } as const;

describe("a gateway that is told to stop", () => {
  test(
    "takes no more requests, lets an open stream end in good order, and exits with 0",
    async () => {
      const child = demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder() });
      const url = await listening(child);
      const tenant = await operatorOf(url).addTenant({ allowCountries: ["JP"] });
      const { rest } = await slowStream(url, tenant);
      child.signal("SIGTERM");
      await eventually(() =>
        expect(fetch(`${url}/healthz`, { headers: { connection: "close" } })).rejects.toThrow(/fetch failed/),
      );
      const { events, error } = await rest;
      expect(error).toBeUndefined();
      expect(events.flatMap((event) => event.choices).at(-1)?.finish_reason).toBe("stop");
      expect(await child.exited).toBe(0);
    },
    startMs,
  );

  test(
    "cuts what does not end in time with an error that its SDK raises, and settles it",
    async () => {
      const data = temporaryFolder();
      const child = demo(upstreams(), { STRAIT_DATA_DIR: data, STRAIT_DRAIN_MS: "300" });
      const url = await listening(child);
      const tenant = await operatorOf(url).addTenant({ allowCountries: ["JP"], limits: [oneAtOnce] });
      const { rest, requestId } = await slowStream(url, tenant);
      child.signal("SIGTERM");
      const { error } = await rest;
      expect(error).toBeInstanceOf(OpenAI.APIError);
      expect(error).toMatchObject({ code: "gateway_restarting" });
      expect(await child.exited).toBe(0);
      const next = await listening(demo(upstreams(), { STRAIT_DATA_DIR: data }));
      const receipt = await receiptOf(next, tenant.key, requestId);
      expect(receipt).toMatchObject({ end: "deadline_passed", usageSource: "estimated" });
      expect(receipt.chargedTokens).toBeGreaterThan(0);
      expect(await operatorOf(next).use(tenant.id)).toMatchObject([{ remaining: 1 }]);
    },
    startMs,
  );
});

describe("a gateway that dies in the middle of a stream", () => {
  test(
    "leaves a reservation that the next one takes back when its lease is over, with an unsettled receipt",
    async () => {
      const environment = { STRAIT_DATA_DIR: temporaryFolder(), STRAIT_LEASE_MS: "1500" };
      const child = demo(upstreams(), environment);
      const url = await listening(child);
      const tenant = await operatorOf(url).addTenant({ allowCountries: ["JP"], limits: [oneAtOnce] });
      const { rest, requestId } = await slowStream(url, tenant);
      child.signalGroup("SIGKILL");
      expect((await rest).error).toBeDefined();
      await child.exited;
      const next = await listening(demo(upstreams(), environment));
      const receipt = await receiptLater(next, tenant.key, requestId);
      expect(receipt).toMatchObject({ end: "unsettled", usageSource: "held", chargedTokens: receipt.heldTokens });
      await eventually(async () => expect(await operatorOf(next).use(tenant.id)).toMatchObject([{ remaining: 1 }]));
      upstreams().faults(regionsWithin("gpt-4o-mini", ["JP"])[0] ?? "", []);
      await openaiClient(next, tenant.key).chat.completions.create({ model: "gpt-4o-mini", messages });
    },
    startMs,
  );
});

describe("a gateway of two processes", () => {
  test(
    "keeps limits exact across both, and replaces one that dies",
    async () => {
      const child = demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder(), STRAIT_PROCESSES: "2" });
      const url = await listening(child);
      const operator = operatorOf(url);
      const tenant = await operator.addTenant({
        limits: [{ name: "requests-per-day", unit: "requests", window: "day", ceiling: 25 }],
      });
      const client = openaiClient(url, tenant.key);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.chat.completions.create({ model: "gpt-4.1", max_tokens: 20, messages }).then(
            () => 200,
            (error: unknown) => (error instanceof OpenAI.APIError ? error.status : error),
          ),
        ),
      );
      expect(outcomes.filter((status) => status === 200).length).toBe(25);
      expect(outcomes.filter((status) => status === 429).length).toBe(175);

      const [one, other] = childrenOf(child.pid);
      expect([one, other]).toEqual([expect.any(Number), expect.any(Number)]);
      process.kill(one ?? -1, "SIGKILL");
      await child.waitFor(/a gateway process ended and is replaced/, 5_000);
      await eventually(() => expect(childrenOf(child.pid).filter((pid) => pid !== one).length).toBe(2), 10_000);
      await operator.setLimits(tenant.id, []);
      for (let round = 0; round < 6; round++) await client.chat.completions.create({ model: "gpt-4.1", messages });
      child.signal("SIGTERM");
      expect(await child.exited).toBe(0);
    },
    startMs,
  );
});

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
