import { beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { Lifetime } from "../../src/lifetime.ts";
import { OpenExchange } from "../../src/open-exchange.ts";
import type { RevocationOrder } from "../../src/revocation/order.ts";
import { Revocations } from "../../src/revocation/revocations.ts";
import { IsolateRevocations } from "../../src/runtime/worker/isolate-revocations.ts";
import type { ObjectRevocations } from "../../src/runtime/worker/object-revocations.ts";
import type { Caller } from "../../src/tenant/authenticate.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";
import { deployment } from "../support/catalogue.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { permitFor, tenant } from "../support/permits.ts";
import { MemoryPath } from "../revocation/memory-path.ts";
import { order } from "../revocation/orders.ts";

const stalenessMs = 10_000;
const permit = permitFor([deployment("aaa")]);
const { model } = permit;
const theOrder = order("1", { model: model.id });

/** The directory object in a test's hands: questions for news wait until something is written, or their time is up. */
class MemoryObject extends MemoryPath implements ObjectRevocations {
  /** How often it was asked for news, and told what was acknowledged. */
  asked = 0;
  acknowledged = 0;
  readonly #clock: FakeClock;
  readonly #waiting = new Set<() => void>();
  #news = 0;

  constructor(clock: FakeClock) {
    super("objects");
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Those who wait are never answered: they are gone. */
  lose(): void {
    this.#waiting.clear();
  }

  tell(): void {
    this.#news += 1;
    for (const wake of this.#waiting) wake();
  }

  override async write(one: RevocationOrder): Promise<void> {
    await super.write(one);
    this.tell();
  }

  override async acknowledge(told: Parameters<MemoryPath["acknowledge"]>[0]): Promise<void> {
    this.acknowledged += 1;
    return super.acknowledge(told);
  }

  async awaitNews(known: string | undefined, waitMs: number): Promise<string> {
    this.asked += 1;
    if (this.away === "hangs") return new Promise(() => undefined);
    if (this.away === "refuses") throw new Error("the object is away");
    if (known === String(this.#news))
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          if (this.#waiting.delete(wake)) resolve();
        };
        this.#waiting.add(wake);
        this.#clock.after(waitMs, wake);
      });
    return String(this.#news);
  }
}

let clock: FakeClock;
let object: MemoryObject;
let isolate: IsolateRevocations;
let later: Promise<unknown>[];
let entries: Map<string, DirectoryEntry>;
let lookUps: number;
let failing: boolean;
const entry: DirectoryEntry = { revision: 1, tenant, keys: [], limits: [] };
const caller: Caller = { entry, tenant, keyId: "oidc:1", keyName: "oidc", scopes: { models: undefined, surfaces: undefined } };

/** Requests that are over: what timers they have left never fire. */
let ended: Set<number>;
let request: number;

function inRequest<Result>(number: number, work: () => Result): Result {
  request = number;
  return work();
}

/** Timers belong to the request that set them. */
const requestClock: Clock = {
  nowMs: () => clock.nowMs(),
  after(delayMs, callback) {
    const mine = request;
    return clock.after(delayMs, () => {
      if (!ended.has(mine)) inRequest(mine, callback);
    });
  },
};

beforeEach(() => {
  clock = new FakeClock();
  ended = new Set();
  request = 0;
  object = new MemoryObject(clock);
  later = [];
  lookUps = 0;
  failing = false;
  entries = new Map([[tenant.id, { ...entry }]]);
  const replica = { id: "isolate", name: "isolate", startedAtMs: 0 };
  const revocations = new Revocations({ paths: [object], replica, clock, elapsed: clock, stalenessMs });
  isolate = new IsolateRevocations(revocations, object, {
    directory: {
      find: async (id) => {
        lookUps += 1;
        if (failing) throw new Error("the tenant's object is away");
        return entries.get(id);
      },
      touchKey: () => undefined,
    },
    clock: requestClock,
    later: (work) => void later.push(work),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    stalenessMs,
  });
});

/** One that is open; once cut it is closed, as an exchange does. */
function open(): OpenExchange {
  const life = new Lifetime();
  const exchange = new OpenExchange(caller, model, life, isolate, () => Promise.resolve());
  life.onCut(() => exchange.close());
  return exchange;
}

/** As a request does before it is admitted; resolves once it is decided, or `waits`. */
async function admitted(): Promise<string> {
  let answer = "waits";
  const decide = async (): Promise<void> => {
    await isolate.hear();
    const standing = isolate.standing(permit, { tenant, keyId: "k", model });
    answer = standing.ok ? "admitted" : standing.refusal.kind;
  };
  void decide();
  await clock.pass(2_500, 50);
  return answer;
}

describe("an isolate with open exchanges", () => {
  it("keeps one question waiting, whatever their number, and cuts all of them a look after an order", async () => {
    const exchanges = Array.from({ length: 50 }, open);
    await clock.pass(2_000, 40);
    expect([object.waiting, object.asked]).toEqual([1, 2]);
    await object.write(theOrder);
    await clock.pass(150, 3);
    expect(exchanges.map(({ life }) => life.revokedBy)).toEqual(exchanges.map(() => theOrder.id));
  });

  it("asks anew when the one that asked has gone, of which nobody tells", async () => {
    const gone = inRequest(1, open);
    await clock.pass(400, 8);
    const stays = inRequest(2, open);
    await clock.pass(400, 8);
    expect([object.waiting, object.asked]).toEqual([1, 2]);
    ended.add(1);
    object.lose();
    await clock.pass(700, 14);
    expect(object.waiting).toBe(1);
    await object.write(theOrder);
    await clock.pass(150, 3);
    expect([stays.life.revokedBy, gone.life.revokedBy]).toEqual([theOrder.id, undefined]);
  });

  it("asks again at once for what it could not hear", async () => {
    const exchange = open();
    await clock.pass(400, 8);
    let away = true;
    const read = object.read.bind(object);
    object.read = () => (away ? Promise.reject(new Error("reset")) : read());
    await object.write(theOrder);
    await clock.pass(300, 6);
    away = false;
    await clock.pass(300, 6);
    expect(exchange.life.revokedBy).toBe(theOrder.id);
  });

  it("acknowledges all that ended together, and in the end all of it", async () => {
    const exchanges = Array.from({ length: 100 }, open);
    await clock.pass(400, 8);
    await object.write(theOrder);
    await clock.pass(1_000, 20);
    await Promise.all(later);
    expect([...object.told.values()]).toMatchObject([{ cut: exchanges.length, ended: exchanges.length }]);
    expect(object.acknowledged).toBeLessThan(6);
  });

  it("looks a tenant up once after each answer, and cuts what it may no longer have", async () => {
    const exchanges = Array.from({ length: 100 }, open);
    await clock.pass(1_000, 20);
    const before = lookUps;
    entries.set(tenant.id, { ...entry, tenant: { ...tenant, verification: { ...tenant.verification, state: "suspended" } } });
    object.tell();
    await clock.pass(450, 9);
    expect(exchanges.every(({ life }) => life.revokedBy === "tenant")).toBe(true);
    expect(lookUps - before).toBe(1);
  });

  it("looks a tenant up again where that failed", async () => {
    const exchange = open();
    await clock.pass(1_000, 20);
    entries.clear();
    failing = true;
    object.tell();
    await clock.pass(450, 9);
    expect(exchange.life.revokedBy).toBeUndefined();
    failing = false;
    await clock.pass(5_000, 100);
    expect(exchange.life.revokedBy).toBe("tenant");
  });

  it("closes the books of what was cut when all was told, one after the other", async () => {
    const begun: number[] = [];
    const cutAtMs = clock.nowMs();
    const close = async (): Promise<void> => {
      await isolate.othersCut();
      begun.push(clock.nowMs() - cutAtMs);
    };
    for (let count = 0; count < 20; count += 1) void close();
    await clock.pass(1_200, 240);
    expect(begun[0]).toBeGreaterThanOrEqual(1_000);
    expect(new Set(begun).size).toBe(20);
  });
});

describe("an isolate that hears nothing", () => {
  it.each(["refuses", "hangs"] as const)("admits nothing from the staleness on, where the object %s", async (how) => {
    open();
    expect(await admitted()).toBe("admitted");
    object.away = how;
    await clock.pass(stalenessMs - 5_500, 50);
    expect(await admitted()).toBe("admitted");
    await clock.pass(4_000, 40);
    expect(await admitted()).toBe("revocations_unknown");
    object.away = "no";
    expect(await admitted()).toBe("admitted");
  });

  it("admits nothing before it was ever answered", async () => {
    object.away = "hangs";
    expect(await admitted()).toBe("revocations_unknown");
  });
});

it("an isolate without open exchanges asks before it admits", async () => {
  expect(await admitted()).toBe("admitted");
  await object.write(theOrder);
  expect(await admitted()).toBe("revoked");
});
