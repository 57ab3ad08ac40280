import { requestId } from "../../../src/request-id.ts";
import { periodsOf, type Amounts, type AppliedLimit } from "../../../src/quota/limit.ts";
import { SlicedQuota } from "../../../src/quota/slices/sliced-quota.ts";
import { StoreUnavailable, type QuotaStore, type ReserveOutcome } from "../../../src/quota/store.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import { amounts, reservation } from "../../stores/samples.ts";
import { worldBeginsMs } from "../../stores/store-world.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { memoryQuota, type MemoryQuota } from "../../support/memory-quota.ts";
import { SeededEntropy } from "../../support/seeded-entropy.ts";

/** How a replica reaches the store: not at all, or so that calls take effect and their answers are lost. */
export type Link = "up" | "away" | "mute";

export interface Replica {
  quota: SlicedQuota;
  readonly local: MemoryQuota;
  link: Link;
  /** Calls that were sent to the store. */
  calls: number;
}

/** Several replicas over one store whose clock is minutes ahead of theirs. */
export class SliceWorld {
  readonly clock: FakeClock = new FakeClock(worldBeginsMs);
  readonly exact: MemoryQuota;
  readonly replicas: Replica[];
  readonly #entropy = new SeededEntropy();
  readonly #stores: ReadonlySet<MemoryQuota>;

  constructor(count: number, storeAheadMs = 0) {
    this.exact = memoryQuota(() => this.clock.nowMs() + storeAheadMs);
    this.replicas = Array.from({ length: count }, () => this.#start(memoryQuota(() => this.clock.nowMs())));
    this.#stores = new Set([this.exact, ...this.replicas.map(({ local }) => local)]);
  }

  replica(index: number): Replica {
    const found = this.replicas[index];
    if (found === undefined) throw new Error(`no replica ${index}`);
    return found;
  }

  /** The process dies and another one starts on the same files. */
  crash(index: number): void {
    const { local, link } = this.replica(index);
    const next = this.#start(local);
    next.link = link;
    this.replicas[index] = next;
  }

  reserve(index: number, id: string, settings: readonly LimitSetting[], hold: Amounts): Promise<ReserveOutcome> {
    return this.replica(index).quota.reserve(reservation(id, this.applied(settings), hold));
  }

  settle(index: number, id: string, charge: Amounts): Promise<boolean> {
    return this.replica(index).quota.settle({ id, tenantId: "acme", charge });
  }

  /** Enough requests that replicas hold a slice from then on. */
  async warm(index: number, settings: readonly LimitSetting[], tokens = 1, count = 12): Promise<string[]> {
    const ids: string[] = [];
    for (let serial = 0; serial < count; serial++) {
      const id = `warm-${index}-${this.clock.nowMs()}-${serial}`;
      if ((await this.reserve(index, id, settings, amounts(tokens))).admitted) ids.push(id);
    }
    return ids;
  }

  async remaining(settings: readonly LimitSetting[]): Promise<number[]> {
    return (await this.exact.inspect("acme", this.applied(settings))).map(({ remaining }) => remaining);
  }

  applied(settings: readonly LimitSetting[]): AppliedLimit[] {
    const nowMs = this.clock.nowMs();
    return settings.map((setting) => ({ setting, counter: setting.name, periods: periodsOf(setting, undefined, nowMs) }));
  }

  pass(ms: number): Promise<void> {
    return this.clock.pass(ms, Math.max(1, Math.ceil(ms / 250)));
  }

  close(): void {
    for (const store of this.#stores) store.close();
  }

  #start(local: MemoryQuota): Replica {
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const reach = async <Result>(call: (store: QuotaStore) => Promise<Result>): Promise<Result> => {
      // A process that died asks for nothing more, whatever timers it left.
      if (this.replicas.length > 0 && !this.replicas.includes(replica)) throw new StoreUnavailable("dead");
      if (replica.link === "away") throw new StoreUnavailable("away");
      replica.calls++;
      const answer = await call(this.exact);
      if (replica.link === "mute") throw new StoreUnavailable("mute");
      return answer;
    };
    const exact: QuotaStore = {
      reserve: (request) => reach((store) => store.reserve(request)),
      settle: (settlement) => reach((store) => store.settle(settlement)),
      renew: (tenantId, ids, leaseMs) => reach((store) => store.renew(tenantId, ids, leaseMs)),
      expire: (count) => reach((store) => store.expire(count)),
      recorded: (tenantId, ids) => reach((store) => store.recorded(tenantId, ids)),
      inspect: (tenantId, limits) => reach((store) => store.inspect(tenantId, limits)),
    };
    const quota = new SlicedQuota({
      exact,
      local,
      clock: this.clock,
      elapsedMs: () => this.clock.nowMs(),
      newId: () => requestId(this.#entropy, this.clock),
      log,
    });
    const replica: Replica = { quota, local, link: "up", calls: 0 };
    return replica;
  }
}
