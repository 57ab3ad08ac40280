import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Acknowledgement, RevocationPath } from "../../src/revocation/path.ts";
import { order, stored, type OpenPaths } from "./orders.ts";

const replica = (id: string) => ({ id, name: `name of ${id}`, startedAtMs: 1 });

const acknowledgement = (orderId: string, by: string, change: Partial<Acknowledgement> = {}): Acknowledgement => ({
  orderId,
  replica: replica(by),
  learnedAtMs: 1_000,
  learnedBy: "here",
  cut: 0,
  ended: 0,
  lastByteAtMs: undefined,
  ...change,
});

/** What every path does. Imports nothing of a runtime. `tells`: whether `watch` says by itself what others wrote. */
export function revocationPathContract(name: string, open: OpenPaths, tells: boolean): void {
  describe(`revocations: ${name}`, () => {
    let opened: Awaited<ReturnType<OpenPaths>>;
    let here: RevocationPath;
    let there: RevocationPath;
    beforeEach(async () => {
      opened = await open();
      [here, there] = [opened.paths[0], opened.paths[1]] as [RevocationPath, RevocationPath];
    });
    afterEach(() => opened.close());

    it("has no order at first", async () => {
      expect(await here.read()).toEqual([]);
      expect(await here.acknowledgements("revocation_1")).toEqual([]);
    });

    it("shows an order to every replica once it is written, all of it", async () => {
      const whole = order("1", { model: "gpt-4.1", country: "SG", tenant: "acme" }, { expiresAtMs: Date.UTC(2030, 0) });
      await here.write(whole);
      expect(await there.read()).toEqual([stored(whole)]);
      expect(await here.read()).toEqual([stored(whole)]);
    });

    it("keeps one of an order that is written again and again, by many at once", async () => {
      const one = order("1", { model: "gpt-4.1" });
      await Promise.all([...opened.paths, ...opened.paths].map((path) => path.write(one)));
      expect(await there.read()).toEqual([stored(one)]);
    });

    it("keeps it restored, whatever copy comes later, and the first who restored it", async () => {
      const one = order("1", { region: "japaneast" });
      const restored = { ...one, restored: { atMs: 5_000_000_000_000, by: "operator" } };
      await here.write(one);
      await there.write(restored);
      await here.write(one);
      await here.write({ ...one, restored: { atMs: 6_000_000_000_000, by: "somebody" } });
      expect(await here.read()).toEqual([stored(restored)]);
    });

    it("takes an order that was restored before it was ever written there", async () => {
      const restored = order("1", { key: "abcdefgh" }, { restored: { atMs: 5_000_000_000_000, by: "operator" } });
      await here.write(restored);
      await there.write({ ...restored, restored: undefined });
      expect(await there.read()).toEqual([stored(restored)]);
    });

    it("shows what each replica last said of an order", async () => {
      await here.acknowledge([acknowledgement("revocation_1", "a"), acknowledgement("revocation_2", "a")]);
      await there.acknowledge([acknowledgement("revocation_1", "b", { cut: 3, ended: 1, lastByteAtMs: 1_500 })]);
      const last = acknowledgement("revocation_1", "b", { cut: 3, ended: 3, lastByteAtMs: 1_700 });
      await there.acknowledge([last]);
      const told = await here.acknowledgements("revocation_1");
      expect(told.map((one) => one.replica.id).sort()).toEqual(["a", "b"]);
      expect(told.find((one) => one.replica.id === "b")).toEqual(JSON.parse(JSON.stringify(last)));
    });

    it("says what time its store has", async () => {
      const before = Date.now();
      const told = await here.beat(replica("a"));
      // A server on this machine has this machine's clock, but may tell it to the millisecond only.
      expect(told).toBeGreaterThanOrEqual(before - 1);
      expect(told).toBeLessThanOrEqual(Date.now() + 1);
    });

    it("shows the replicas that live", async () => {
      await here.beat(replica("a"));
      await there.beat(replica("b"));
      await here.beat(replica("a"));
      const living = await there.replicas();
      expect([...living].sort((left, right) => (left.id < right.id ? -1 : 1))).toEqual([replica("a"), replica("b")]);
    });

    if (!tells) return;
    it("tells those who watch that somebody wrote an order", async () => {
      let wake = (): void => undefined;
      const unwatch = there.watch(() => wake());
      await new Promise((resolve) => setTimeout(resolve, 300));
      const woken = new Promise<void>((resolve) => (wake = resolve));
      await here.write(order("1", { model: "gpt-4.1" }));
      await woken;
      unwatch();
    });
  });
}
