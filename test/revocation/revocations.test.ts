import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { followPaths } from "../../src/revocation/follow-paths.ts";
import { isInForce, joinOrders, type RevocationOrder } from "../../src/revocation/order.ts";
import type { RevocationPath } from "../../src/revocation/path.ts";
import { Revocations } from "../../src/revocation/revocations.ts";
import { deployment } from "../support/catalogue.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { permitFor, tenant } from "../support/permits.ts";
import { MemoryPath } from "./memory-path.ts";
import { order } from "./orders.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const stalenessMs = 10_000;
const permit = permitFor([deployment("aaa"), deployment("bbb")]);
const subject = { tenant, keyId: "abcdefgh", model: permit.model };
const model = order("1", { model: permit.model.id });

let clock: FakeClock;
let postgres: MemoryPath;
let valkey: MemoryPath;
beforeEach(() => {
  clock = new FakeClock();
  postgres = new MemoryPath("postgres");
  valkey = new MemoryPath("valkey");
});

function replica(id: string, paths: readonly RevocationPath[] = [postgres, valkey]): Revocations {
  return new Revocations({ paths, replica: { id, name: id, startedAtMs: 0 }, clock, elapsed: clock, stalenessMs });
}

async function following(id: string, paths?: readonly RevocationPath[]): Promise<Revocations> {
  const revocations = replica(id, paths);
  void followPaths(revocations, clock, silent);
  await settled();
  return revocations;
}

const answer = (revocations: Revocations): string => {
  const standing = revocations.standing(permit, subject);
  return standing.ok ? "admitted" : standing.refusal.kind;
};

describe("an order given to one replica", () => {
  it("is in force there at once, and everywhere as soon as they are told", async () => {
    const [first, second] = [await following("first"), await following("second")];
    const issuing = first.issue(model);
    expect(answer(first)).toBe("revoked");
    expect(await issuing).toEqual(["postgres", "valkey"]);
    await settled();
    expect(answer(second)).toBe("revoked");
  });

  it.each([
    ["postgres", "refuses"],
    ["postgres", "hangs"],
    ["valkey", "refuses"],
    ["valkey", "hangs"],
  ] as const)("is carried by the other path while %s %s, and given to it once it is back", async (which, how) => {
    const path = which === "postgres" ? postgres : valkey;
    const [first, second] = [await following("first"), await following("second")];
    path.away = how;
    const issuing = first.issue(model);
    await clock.pass(1_000, 10);
    expect(await issuing).toEqual([which === "postgres" ? "valkey" : "postgres"]);
    expect(answer(second)).toBe("revoked");
    path.away = "no";
    // One that hung is never answered: a new replica finds what the store lacks.
    const third = await following("third");
    await clock.pass(1_000, 10);
    expect([...path.orders.keys()]).toEqual([model.id]);
    expect(answer(third)).toBe("revoked");
  });

  it("holds until its end by the stores' clocks, on a machine whose own is hours ahead", async () => {
    const hours = 3 * 3_600_000;
    postgres.nowMs = valkey.nowMs = () => clock.nowMs();
    const ahead = { nowMs: () => clock.nowMs() + hours, after: clock.after.bind(clock) };
    const second = new Revocations({
      paths: [postgres, valkey],
      replica: { id: "second", name: "second", startedAtMs: 0 },
      clock: ahead,
      elapsed: clock,
      stalenessMs,
    });
    const first = await following("first");
    const lasting = { ...model, expiresAtMs: clock.nowMs() + hours / 3 };
    await first.issue(lasting);
    // Before it has heard what time it is, and long after.
    void followPaths(second, ahead, silent);
    await settled();
    expect(answer(second)).toBe("revoked");
    expect([...postgres.told.keys()]).toEqual([`${lasting.id} first`, `${lasting.id} second`]);
    await clock.pass(hours / 3 - 5_000);
    await clock.pass(1_000, 5);
    expect(answer(second)).toBe("revoked");
    await clock.pass(5_000, 20);
    expect(answer(second)).toBe("admitted");
  });

  it("is found within a second where no message told of it", async () => {
    postgres.silent = valkey.silent = true;
    const [first, second] = [await following("first"), await following("second")];
    await first.issue(model);
    await clock.pass(500, 5);
    expect(answer(second)).toBe("revoked");
  });

  it("passes from one store to the other through a replica that reaches both", async () => {
    const left = await following("left", [postgres]);
    await following("both");
    const right = await following("right", [valkey]);
    await left.issue(model);
    await clock.pass(1_000, 10);
    expect(answer(right)).toBe("revoked");
  });

  it("stays restored against a store that still has it in force", async () => {
    const first = await following("first");
    await first.issue(model);
    await settled();
    valkey.away = "refuses";
    const restoring = first.issue({ ...model, restored: { atMs: clock.nowMs(), by: "operator" } });
    await clock.pass(1_000, 5);
    await restoring;
    valkey.away = "no";
    const second = await following("second");
    await clock.pass(1_000, 5);
    expect([answer(first), answer(second)]).toEqual(["admitted", "admitted"]);
    expect(valkey.orders.get(model.id)?.restored).toBeDefined();
  });

  it("outlives a store that lost everything", async () => {
    const first = await following("first", [valkey]);
    await first.issue(model);
    valkey.orders.clear();
    await clock.pass(1_000, 5);
    expect([...valkey.orders.keys()]).toEqual([model.id]);
  });
});

describe("a replica", () => {
  it("admits nothing before it heard of any path", async () => {
    postgres.away = valkey.away = "refuses";
    const alone = await following("alone");
    expect(answer(alone)).toBe("revocations_unknown");
    valkey.away = "no";
    await clock.pass(500, 5);
    expect(answer(alone)).toBe("admitted");
  });

  it("admits nothing once both paths were silent for the staleness, and goes on by itself when one is back", async () => {
    const alone = await following("alone");
    postgres.away = valkey.away = "refuses";
    await clock.pass(stalenessMs - 500, 20);
    expect(answer(alone)).toBe("admitted");
    await clock.pass(500, 5);
    expect(answer(alone)).toBe("revocations_unknown");
    postgres.away = "no";
    await clock.pass(500, 5);
    expect(answer(alone)).toBe("admitted");
  });

  it("is content with one of its paths", async () => {
    const alone = await following("alone");
    postgres.away = "hangs";
    await clock.pass(3 * stalenessMs, 60);
    expect(answer(alone)).toBe("admitted");
  });

  it("is never stale by itself, and not kept from being so by a file that it alone has", async () => {
    const file = new MemoryPath("sqlite", false);
    const single = await following("single", [file]);
    const mixed = await following("mixed", [file, valkey]);
    valkey.away = "refuses";
    file.away = "refuses";
    await clock.pass(2 * stalenessMs, 40);
    expect(answer(single)).toBe("admitted");
    file.away = "no";
    await clock.pass(1_000, 5);
    expect(answer(mixed)).toBe("revocations_unknown");
  });

  it("acknowledges on every path what it learned, cut and saw end", async () => {
    const first = await following("first");
    const second = await following("second");
    const cuts: string[] = [];
    const exchange = { subject, deployment: undefined, revoke: (id: string) => cuts.push(id) === 1 };
    const release = second.guard(exchange);
    await first.issue(model);
    await settled();
    expect(cuts).toEqual([model.id]);
    const learnedAtMs = clock.nowMs();
    expect(postgres.told.get(`${model.id} second`)).toMatchObject({ cut: 1, ended: 0, lastByteAtMs: undefined, learnedAtMs });
    clock.advance(70);
    release();
    second.ended(model.id);
    await settled();
    for (const path of [postgres, valkey])
      expect(path.told.get(`${model.id} second`)).toMatchObject({ cut: 1, ended: 1, lastByteAtMs: learnedAtMs + 70 });
    const told = await first.acknowledgements(model.id);
    expect(told.map(({ replica: { id }, cut, ended }) => `${id} ${cut} ${ended}`).sort()).toEqual(["first 0 0", "second 1 1"]);
    expect((await first.replicas()).map(({ id }) => id).sort()).toEqual(["first", "second"]);
  });

  it("repeats an acknowledgement that a path did not take", async () => {
    const first = await following("first");
    valkey.away = "refuses";
    const issuing = first.issue(model);
    await clock.pass(1_000, 5);
    await issuing;
    expect(valkey.told.size).toBe(0);
    valkey.away = "no";
    await clock.pass(1_000, 5);
    expect(valkey.told.size).toBe(1);
  });
});

describe("copies of one order", () => {
  const restored = fc.option(fc.record({ atMs: fc.integer({ min: 1, max: 5 }), by: fc.constantFrom("a", "b") }), {
    nil: undefined,
  });
  const copies = fc.array(
    restored.map((one): RevocationOrder => ({ ...model, restored: one })),
    { minLength: 1, maxLength: 8 },
  );

  it("come to the same in any sequence and however often, and never back in force", () => {
    fc.assert(
      fc.property(copies, fc.func(fc.integer()), (all, shuffle) => {
        const joined = all.reduce(joinOrders);
        const shuffled = [...all, ...all].sort((left, right) => shuffle(left) - shuffle(right)).reduce(joinOrders);
        expect(shuffled.restored?.atMs).toBe(joined.restored?.atMs);
        expect(isInForce(joined, 0)).toBe(all.every((copy) => copy.restored === undefined));
      }),
    );
  });
});
