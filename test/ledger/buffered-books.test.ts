import { describe, expect, it } from "vitest";
import { BufferedBooks } from "../../src/ledger/buffered-books.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { receipt } from "../stores/samples.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { refusal } from "../transparency/log-fixture.ts";

describe("books whose store is away", () => {
  function open(most: number) {
    const clock = new FakeClock();
    const written: string[] = [];
    const store = { isAway: false };
    const write = async (id: string): Promise<void> => {
      if (store.isAway) throw new StoreUnavailable("away");
      written.push(id);
    };
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const buffered = new BufferedBooks(
      {
        books: { close: ({ requestId }) => write(requestId) },
        refusals: { append: ({ requestId }) => write(requestId), find: async () => undefined },
        clock,
        log: quiet,
      },
      most,
    );
    const charge = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0, microUsd: 0 };
    const close = (id: string): Promise<void> => buffered.books.close(receipt(id), { id, tenantId: "acme", charge });
    return { clock, written, store, buffered, close };
  }

  it("are written in their order once it is back, receipts and refusals alike", async () => {
    const { clock, written, store, buffered, close } = open(10);
    await close("a");
    store.isAway = true;
    await close("b");
    await buffered.refusals?.append(refusal("c"));
    await close("d");
    await clock.pass(1_500);
    expect(written).toEqual(["a"]);
    store.isAway = false;
    await clock.pass(1_000);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(written).toEqual(["a", "b", "c", "d"]);
    await clock.pass(10_000);
    expect(written).toHaveLength(4);
  });

  it("take no more than the bound", async () => {
    const { store, close } = open(2);
    store.isAway = true;
    await close("a");
    await close("b");
    await expect(close("c")).rejects.toThrow(StoreUnavailable);
  });
});
