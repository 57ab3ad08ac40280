import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { openObjectRevocations } from "../../src/runtime/worker/object-revocations.ts";
import { order } from "../revocation/orders.ts";
import { revocationPathContract } from "../revocation/path-contract.ts";

revocationPathContract(
  "Durable Objects",
  async () => ({ paths: [openObjectRevocations(env), openObjectRevocations(env)], close: () => reset() }),
  false,
);

it("a question for news waits until there are some", async () => {
  const [here, there] = [openObjectRevocations(env), openObjectRevocations(env)];
  const mark = await here.awaitNews(undefined, 10_000);
  expect(await here.awaitNews(mark, 10)).toBe(mark);
  let told: string | undefined;
  const waiting = here.awaitNews(mark, 10_000).then((news) => (told = news));
  expect(told).toBeUndefined();
  await there.write(order("1", { model: "gpt-4.1" }));
  expect(await waiting).not.toBe(mark);
  await reset();
});
