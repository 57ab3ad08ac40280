import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { amounts, limit, receipt, reservation } from "./samples.ts";
import type { OpenStoreWorld, StoreWorld } from "./store-world.ts";

const tokensADay = limit("daily", "tokens", "day", 1_000);

/** What every journal does, with the books that close an exchange in it. Imports nothing of a runtime. */
export function journalContract(name: string, openWorld: OpenStoreWorld): void {
  describe(`journal: ${name}`, () => {
    let world: StoreWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    it("finds a receipt again, all of it, also after a restart", async () => {
      const written = receipt("a", { responseId: "resp_1", attempts: [attempt] });
      await world.journal.append(written);
      expect(await world.journal.find("acme", "a")).toEqual(written);
      await world.restart();
      expect(await world.journal.find("acme", "a")).toEqual(written);
    });

    it("keeps an unknown count apart from a zero", async () => {
      await world.journal.append(receipt("a"));
      const found = await world.journal.find("acme", "a");
      expect(found?.usage.outputTokens).toBe(0);
      expect(found?.usage.reasoningTokens).toBeUndefined();
    });

    it("shows no tenant another's receipts", async () => {
      await world.journal.append(receipt("a", { responseId: "resp_1" }));
      expect(await world.journal.find("other", "a")).toBeUndefined();
      expect(await world.journal.list("other", undefined, 10)).toEqual([]);
      expect(await world.journal.findResponse("other", "resp_1")).toBeUndefined();
      await world.journal.append(receipt("a", { tenantId: "other", chargedTokens: 77 }));
      expect((await world.journal.find("acme", "a"))?.chargedTokens).toBe(10);
      expect((await world.journal.find("other", "a"))?.chargedTokens).toBe(77);
    });

    it("takes a receipt once: the first report of an end stands", async () => {
      await Promise.all([
        world.journal.append(receipt("a", { end: "client_cancelled" })),
        world.journal.append(receipt("a", { end: "completed", chargedTokens: 99 })),
      ]);
      await world.journal.append(receipt("a", { end: "upstream_failed" }));
      expect((await world.journal.find("acme", "a"))?.end).toBe("client_cancelled");
      expect(await world.journal.list("acme", undefined, 10)).toHaveLength(1);
    });

    it("lets an unsettled receipt give way to one that knows more, and never the other way", async () => {
      await world.journal.append(receipt("a", { end: "unsettled", chargedTokens: 100 }));
      await world.journal.append(receipt("a", { end: "unsettled", chargedTokens: 101 }));
      expect((await world.journal.find("acme", "a"))?.chargedTokens).toBe(100);
      await world.journal.append(receipt("a", { end: "completed", chargedTokens: 10, responseId: "resp_1" }));
      await world.journal.append(receipt("a", { end: "unsettled", chargedTokens: 100 }));
      expect((await world.journal.find("acme", "a"))?.end).toBe("completed");
      expect((await world.journal.findResponse("acme", "resp_1"))?.requestId).toBe("a");
      expect(await world.journal.list("acme", undefined, 10)).toHaveLength(1);
    });

    it("lists the newest first, in pages by time", async () => {
      for (const [id, startedAtMs] of [
        ["b", 2_000],
        ["d", 4_000],
        ["a", 1_000],
        ["c", 3_000],
      ] as const) {
        await world.journal.append(receipt(id, { startedAtMs }));
      }
      const page = async (beforeMs: number | undefined): Promise<string[]> =>
        (await world.journal.list("acme", beforeMs, 2)).map((one) => one.requestId);
      expect(await page(undefined)).toEqual(["d", "c"]);
      expect(await page(3_000)).toEqual(["b", "a"]);
      expect(await page(1_000)).toEqual([]);
    });

    it("finds the exchange that made a response, not the later ones about it", async () => {
      await world.journal.append(receipt("later", { startedAtMs: 5_000, responseId: "resp_1" }));
      await world.journal.append(receipt("maker", { startedAtMs: 1_000, responseId: "resp_1" }));
      expect((await world.journal.findResponse("acme", "resp_1"))?.requestId).toBe("maker");
      expect(await world.journal.findResponse("acme", "resp_2")).toBeUndefined();
    });

    describe("the books", () => {
      it("write the receipt and settle the reservation", async () => {
        await world.quota.reserve(reservation("a", [tokensADay], amounts(800)));
        await world.books.close(receipt("a"), { id: "a", tenantId: "acme", charge: amounts(10) });
        expect((await world.journal.find("acme", "a"))?.end).toBe("completed");
        expect((await world.quota.inspect("acme", [tokensADay])).map((state) => state.remaining)).toEqual([990]);
      });

      it("charge nothing twice when they are closed again", async () => {
        await world.quota.reserve(reservation("a", [tokensADay], amounts(800)));
        const close = (): Promise<void> => world.books.close(receipt("a"), { id: "a", tenantId: "acme", charge: amounts(10) });
        await Promise.all([close(), close()]);
        await close();
        expect((await world.quota.inspect("acme", [tokensADay])).map((state) => state.remaining)).toEqual([990]);
      });

      it("replace what a gateway that was thought dead had left unsettled", async () => {
        await world.quota.reserve(reservation("a", [tokensADay], amounts(800), { leaseMs: 1_000 }));
        await world.advance(1_000);
        const [expired] = await world.quota.expire(10);
        await world.journal.append(receipt("a", { end: "unsettled", chargedTokens: expired?.hold.tokens ?? 0 }));
        await world.quota.recorded("acme", ["a"]);
        await world.books.close(receipt("a", { end: "client_cancelled" }), { id: "a", tenantId: "acme", charge: amounts(10) });
        expect((await world.journal.find("acme", "a"))?.end).toBe("client_cancelled");
        expect((await world.quota.inspect("acme", [tokensADay])).map((state) => state.remaining)).toEqual([990]);
      });

      it("write the receipt of a reservation that is unknown", async () => {
        await world.books.close(receipt("a"), { id: "a", tenantId: "acme", charge: amounts(10) });
        expect(await world.journal.find("acme", "a")).toBeDefined();
      });
    });
  });
}

const attempt = {
  deployment: "somewhere/model-a",
  countries: "SE",
  startedAtMs: 1_000,
  endedAtMs: 1_500,
  status: undefined,
  outcome: "connect",
};
