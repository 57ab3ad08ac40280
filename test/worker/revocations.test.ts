import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { openObjectRevocations, type ObjectRevocations } from "../../src/runtime/worker/object-revocations.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import { order } from "../revocation/orders.ts";
import { revocationPathContract } from "../revocation/path-contract.ts";
import { auditEntry } from "../stores/samples.ts";

const openPath = (): ObjectRevocations => openObjectRevocations(env, async () => undefined);

revocationPathContract(
  "Durable Objects",
  async () => ({
    paths: [openPath(), openPath()],
    close: () => reset(),
  }),
  false,
);

it("a question for news waits until there are some", async () => {
  const [here, there] = [openPath(), openPath()];
  const mark = await here.awaitNews(undefined, 10_000);
  expect(await here.awaitNews(mark, 10)).toBe(mark);
  let told: string | undefined;
  const waiting = here.awaitNews(mark, 10_000).then((news) => (told = news));
  expect(told).toBeUndefined();
  await there.write(order("1", { model: "gpt-4.1" }));
  expect(await waiting).not.toBe(mark);
  await reset();
});

it("whoever reads the orders hears first which bundles were loaded, and a bundle is news", async () => {
  const heard: (readonly string[])[] = [];
  const path = openObjectRevocations(env, async (names) => void heard.push(names));
  await path.read();
  const mark = await path.awaitNews(undefined, 10_000);
  const waiting = path.awaitNews(mark, 10_000);
  const dates = { effectiveFrom: null, effectiveTo: null, loadedAt: "2026-11-23T12:00:00.000Z" };
  const bundle = { digest: "a1", version: "1", shadow: false, ...dates, by: null, reason: null, text: "{}" };
  const { bundles } = openObjectStores(env, () => undefined);
  expect(await bundles.addBundle(bundle, auditEntry("1", "*"))).toBe(true);
  expect(await waiting).not.toBe(mark);
  await path.read();
  expect(heard).toEqual([[], ["a1.json"]]);
  const deaf = openObjectRevocations(env, () => Promise.reject(new Error("not heard")));
  await expect(deaf.read()).rejects.toThrow("not heard");
  await reset();
});
