import { sweepExpired } from "../../../src/ledger/sweep.ts";
import { StoreUnavailable } from "../../../src/quota/store.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import { amounts } from "../../stores/samples.ts";
import { SliceWorld, type Link } from "./slice-world.ts";

export type Step =
  | { readonly do: "send"; readonly replica: number; readonly requests: number; readonly tokens: number }
  | { readonly do: "settle"; readonly share: number; readonly percent: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "link"; readonly replica: number; readonly link: Link }
  | { readonly do: "crash"; readonly replica: number };

interface SentRequest {
  readonly id: string;
  readonly replica: number;
  readonly tokens: number;
  readonly atMs: number;
  /** By the store's clock. */
  readonly day: number;
  /** `undefined` while it is open. */
  used: number | undefined;
  /** Its replica died, so that nobody settles it. */
  lost: boolean;
  /** Whether the store took the settlement is not known. */
  unheard: boolean;
}

const storeAheadMs = 4 * 60_000;

/** What happened to several replicas and their requests, kept apart from all that they keep. */
export class SliceStory {
  readonly world: SliceWorld;
  readonly requests: SentRequest[] = [];
  readonly beganAtMs: number;
  readonly #settings: readonly LimitSetting[];
  #serial = 0;

  constructor(settings: readonly LimitSetting[], replicas: number) {
    this.world = new SliceWorld(replicas, storeAheadMs);
    this.#settings = settings;
    this.beganAtMs = this.world.clock.nowMs();
  }

  get day(): number {
    return Math.floor((this.world.clock.nowMs() + storeAheadMs) / 86_400_000);
  }

  async take(one: Step): Promise<void> {
    if (one.do === "pass") return this.world.pass(one.ms);
    if (one.do === "link") return void (this.world.replica(one.replica).link = one.link);
    if (one.do === "send") {
      await Promise.all(Array.from({ length: one.requests }, () => this.#send(one.replica, one.tokens)));
      return;
    }
    if (one.do === "crash") {
      for (const request of this.#open()) if (request.replica === one.replica) request.lost = true;
      return this.world.crash(one.replica);
    }
    const open = this.#open();
    const some = open.slice(0, Math.ceil((open.length * one.share) / 100));
    await Promise.all(some.map((request) => this.#settle(request, Math.floor((request.tokens * one.percent) / 100))));
  }

  /** Everybody reaches the store, what is open ends, and every lease of the dead runs out. Returns what was written of those. */
  async end(): Promise<readonly string[]> {
    for (const one of this.world.replicas) one.link = "up";
    for (const request of this.#open()) await this.#settle(request, request.tokens);
    await this.world.pass(5_000);
    const written: string[] = [];
    const journal = {
      append: async ({ requestId }: { readonly requestId: string }) => void written.push(requestId),
      find: async () => undefined,
      list: async () => [],
      findResponse: async () => undefined,
    };
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    for (let sweep = 0; sweep < 3; sweep++) {
      await this.world.pass(65_000);
      for (const { quota } of this.world.replicas) await sweepExpired(quota, journal, log);
    }
    return written;
  }

  #open(): SentRequest[] {
    return this.requests.filter((request) => request.used === undefined && !request.lost);
  }

  async #send(replica: number, tokens: number): Promise<void> {
    const id = `r${String(this.#serial++).padStart(5, "0")}`;
    const { day } = this;
    try {
      const outcome = await this.world.reserve(replica, id, this.#settings, amounts(tokens));
      const atMs = this.world.clock.nowMs();
      if (outcome.admitted) this.requests.push({ id, replica, tokens, atMs, day, used: undefined, lost: false, unheard: false });
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async #settle(request: SentRequest, used: number): Promise<void> {
    request.used = used;
    try {
      await this.world.settle(request.replica, request.id, amounts(used));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      // As a gateway does whose store is away when its request ends: it is left to its lease.
      request.unheard = true;
    }
  }
}
