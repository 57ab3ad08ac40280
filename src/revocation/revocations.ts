import { sleep, type Clock } from "../clock.ts";
import { allow, refuse, type Decision } from "../decision.ts";
import type { Withdrawal } from "../lifetime.ts";
import { without } from "../policy/authorise.ts";
import type { Permit } from "../policy/permit.ts";
import type { Refusal } from "../refusal.ts";
import type { Deployment } from "../region/catalogue.ts";
import { Acknowledging } from "./acknowledging.ts";
import type { RevocationGate } from "./gate.ts";
import { concerns, hits, namesPlace, type RevocationSubject } from "./matches.ts";
import { isForgettable, isInForce, isQuarantine, joinOrders, type RevocationOrder } from "./order.ts";
import { replicaLifeMs, type Acknowledgement, type Replica, type RevocationPath } from "./path.ts";

/** An exchange that holds a reservation, as far as an order may end it. */
export interface RevocableExchange {
  readonly subject: RevocationSubject;
  /** The deployment that works on it or was tried last; `undefined` before the first attempt. */
  readonly deployment: Deployment | undefined;
  /** Cuts it; false where it was cut before. */
  revoke(orderId: string, how: Withdrawal): boolean;
}

export interface RevocationOptions {
  readonly paths: readonly RevocationPath[];
  readonly replica: Replica;
  readonly clock: Clock;
  /** Monotonic: a wall clock that is set back would prolong the trust. */
  readonly elapsed: Pick<Clock, "nowMs">;
  /** How long after the last word from any shared path requests are still admitted, where there is one. */
  readonly stalenessMs: number;
}

/** How long a path may take to answer an operator. */
const patienceMs = 1_000;

/**
 * What one replica knows of revocations, and what it does about them: nothing that an order in force hits is admitted or
 * sent upstream from the moment on at which the order is learned, and what is open is cut in the same turn.
 *
 * `attend` speaks with one path. Who calls it, and when, is the runtime's: Node follows each path by a loop, an isolate
 * has requests only.
 */
export class Revocations implements RevocationGate {
  readonly paths: readonly RevocationPath[];
  readonly replica: Replica;
  readonly #clock: Clock;
  readonly #elapsed: Pick<Clock, "nowMs">;
  readonly #stalenessMs: number;
  readonly #isShared: boolean;
  readonly #known = new Map<string, RevocationOrder>();
  /** Those of `#known` that were in force when it last changed. */
  #inForce: readonly RevocationOrder[] = [];
  #heardAtMs = Number.NEGATIVE_INFINITY;
  readonly #open = new Set<RevocableExchange>();
  readonly #acknowledging: Acknowledging;
  readonly #beatAtMs = new Map<RevocationPath, number>();
  /** What each path's clock said, and when that was by `#elapsed`. */
  readonly #told = new Map<RevocationPath, { readonly atMs: number; readonly heardAtMs: number }>();
  /** Called when a path should be attended to soon. */
  onNews: () => void = () => undefined;

  constructor({ paths, replica, clock, elapsed, stalenessMs }: RevocationOptions) {
    this.paths = paths;
    this.replica = replica;
    this.#clock = clock;
    this.#elapsed = elapsed;
    this.#stalenessMs = stalenessMs;
    this.#acknowledging = new Acknowledging(paths);
    this.#isShared = paths.some(({ shared }) => shared);
  }

  /** Asks every path for what is not known here yet. */
  async refresh(): Promise<void> {
    await this.#fromAll(async (path) => {
      this.learn(await path.read(), path.name);
      return [];
    });
  }

  /** Every order known here, newest first. */
  list(): readonly RevocationOrder[] {
    return [...this.#known.values()].sort((left, right) => right.issuedAtMs - left.issuedAtMs || (left.id < right.id ? 1 : -1));
  }

  find(id: string): RevocationOrder | undefined {
    return this.#known.get(id);
  }

  /**
   * The earliest time that this replica's clock or one of the paths' may say, in milliseconds since the Unix epoch. Orders end by
   * it: one must not end early on a machine whose clock is ahead of the others'.
   */
  nowMs(): number {
    let earliest = this.#clock.nowMs();
    for (const { atMs, heardAtMs } of this.#told.values()) {
      const there = atMs + this.#elapsed.nowMs() - heardAtMs;
      if (there < earliest) earliest = there;
    }
    return earliest;
  }

  /** Milliseconds since a shared path that answered was asked. */
  silentForMs(): number {
    return this.#elapsed.nowMs() - this.#heardAtMs;
  }

  /**
   * What is left of a permit now: the same one, a narrower one, or the refusal. Asked when a permit is made and again right
   * before every attempt, for an order may come in between.
   */
  standing(permit: Permit, subject: RevocationSubject): Decision<Permit> {
    if (this.#isShared && !(this.silentForMs() < this.#stalenessMs))
      return refuse({ kind: "revocations_unknown", retryAfterMs: 1_000 });
    if (this.#inForce.length === 0) return allow(permit);
    const nowMs = this.nowMs();
    const orders = this.#inForce.filter((order) => isInForce(order, nowMs) && concerns(order, subject));
    const whole = orders.find(({ scope }) => !namesPlace(scope));
    if (whole !== undefined) return refuse({ kind: "revoked", order: whole.id });
    if (orders.length === 0) return allow(permit);
    const left = lessWhatIsHit(permit, orders);
    return left === undefined ? refuse(whatLeftNothing(permit, orders)) : allow(left);
  }

  /** Whoever follows the paths hears by itself. */
  hear(): undefined {
    return undefined;
  }

  /** All are cut in the turn in which an order is learned. */
  othersCut(): undefined {
    return undefined;
  }

  /** Keeps an exchange in reach until the returned function is called, which must be after its last byte. */
  guard(exchange: RevocableExchange): () => void {
    this.#open.add(exchange);
    return () => void this.#open.delete(exchange);
  }

  /** The order in force that hits an exchange as it runs now. */
  orderAgainst({ subject, deployment }: RevocableExchange): RevocationOrder | undefined {
    const nowMs = this.nowMs();
    return this.#inForce.find(
      (order) =>
        isInForce(order, nowMs) &&
        concerns(order, subject) &&
        // Between two attempts it is nowhere: the next one is asked for before it leaves.
        (deployment === undefined ? !namesPlace(order.scope) : hits(order, deployment)),
    );
  }

  /** Cuts the exchange if an order hits it. */
  enforce(exchange: RevocableExchange): void {
    const order = this.orderAgainst(exchange);
    if (order === undefined) return;
    if (exchange.revoke(order.id, isQuarantine(order) ? "quarantined" : "revoked"))
      this.#changed(order.id, (before) => ({ cut: before.cut + 1 }));
  }

  /** An exchange that was cut by this order has sent its last byte. */
  ended(orderId: string): void {
    this.#changed(orderId, (before) => ({ ended: before.ended + 1, lastByteAtMs: this.#clock.nowMs() }));
  }

  /** Takes orders in from wherever they come; known ones change nothing. */
  learn(orders: Iterable<RevocationOrder>, from: string): void {
    const nowMs = this.nowMs();
    let changed = false;
    for (const order of orders) {
      const known = this.#known.get(order.id);
      if (known === undefined && isForgettable(order, nowMs)) continue;
      const joined = known === undefined ? order : joinOrders(known, order);
      if (joined === known) continue;
      this.#known.set(order.id, joined);
      changed = true;
    }
    if (!changed) return;
    this.#apply(from);
    this.onNews();
  }

  /**
   * Speaks with one path: hears its orders, gives it those that it lacks, and tells it what is to be acknowledged and that
   * this replica lives. Rejects as the path does; what was not told is told the next time.
   */
  async attend(path: RevocationPath): Promise<void> {
    const askedAtMs = this.#elapsed.nowMs();
    const orders = await path.read();
    if (path.shared) this.#heardAtMs = Math.max(this.#heardAtMs, askedAtMs);
    this.learn(orders, path.name);
    await this.#giveMissing(path, orders);
    await this.#acknowledging.tell(path);
    if (askedAtMs - (this.#beatAtMs.get(path) ?? Number.NEGATIVE_INFINITY) < replicaLifeMs / 4) return;
    const atMs = await path.beat(this.replica);
    this.#beatAtMs.set(path, askedAtMs);
    const before = this.nowMs();
    this.#told.set(path, { atMs, heardAtMs: this.#elapsed.nowMs() });
    // What was over by this machine's clock may not be.
    if (this.nowMs() < before && this.#apply(path.name)) this.onNews();
  }

  /**
   * An order in force here at once, and written to every path. Resolves with the names of those that have it; a path that
   * cannot be reached is given it when it can, as long as one replica lives that knows it.
   */
  async issue(order: RevocationOrder): Promise<readonly string[]> {
    this.learn([order], "here");
    return this.#fromAll(async (path) => {
      await path.write(order);
      return [path.name];
    });
  }

  /** What all replicas acknowledged so far, by whichever path. */
  async acknowledgements(orderId: string): Promise<readonly Acknowledgement[]> {
    const latest = new Map<string, Acknowledgement>();
    const told = await this.#fromAll((path) => path.acknowledgements(orderId));
    const own = this.#acknowledging.of(orderId);
    for (const one of own === undefined ? told : [...told, own]) {
      const known = latest.get(one.replica.id);
      if (known === undefined || one.cut + one.ended >= known.cut + known.ended) latest.set(one.replica.id, one);
    }
    return [...latest.values()];
  }

  /** The replicas that live as far as any path knows, this one among them. */
  async replicas(): Promise<readonly Replica[]> {
    const all = [this.replica, ...(await this.#fromAll((path) => path.replicas()))];
    return [...new Map(all.map((replica) => [replica.id, replica])).values()];
  }

  /** What the paths answer in time: one that hangs must not hold up what the others do. */
  async #fromAll<Item>(ask: (path: RevocationPath) => Promise<readonly Item[]>): Promise<Item[]> {
    const answers = this.paths.map(async (path) => {
      try {
        return await ask(path);
      } catch {
        // Whoever attends to the path has told the log.
        return [];
      }
    });
    const late = sleep(this.#clock, patienceMs).then(() => []);
    return (await Promise.all(answers.map((answer) => Promise.race([answer, late])))).flat();
  }

  async #giveMissing(path: RevocationPath, there: readonly RevocationOrder[]): Promise<void> {
    const stored = new Map(there.map((order) => [order.id, order]));
    for (const order of this.#known.values()) {
      const copy = stored.get(order.id);
      if (copy === undefined || (order.restored !== undefined && copy.restored === undefined)) await path.write(order);
    }
  }

  /** Does what the known orders say now; whether one is in force that was not. */
  #apply(from: string): boolean {
    this.#compile(this.nowMs());
    const news = this.#inForce.filter(({ id }) => this.#acknowledging.of(id) === undefined);
    for (const exchange of this.#open) this.enforce(exchange);
    for (const { id } of news) this.#changed(id, () => ({ learnedBy: from }));
    return news.length > 0;
  }

  #compile(nowMs: number): void {
    for (const [id, order] of this.#known) {
      if (!isForgettable(order, nowMs)) continue;
      this.#known.delete(id);
      this.#acknowledging.forget(id);
    }
    this.#inForce = [...this.#known.values()].filter((order) => isInForce(order, nowMs));
  }

  #changed(orderId: string, change: (before: Acknowledgement) => Partial<Acknowledgement>): void {
    // A key that was revoked is no order, and an order may have been forgotten meanwhile.
    if (!this.#known.has(orderId)) return;
    const before = this.#acknowledging.of(orderId) ?? {
      orderId,
      replica: this.replica,
      learnedAtMs: this.#clock.nowMs(),
      learnedBy: "",
      cut: 0,
      ended: 0,
      lastByteAtMs: undefined,
    };
    this.#acknowledging.set({ ...before, ...change(before) });
    this.onNews();
  }
}

function lessWhatIsHit(permit: Permit, orders: readonly RevocationOrder[]): Permit | undefined {
  return without(permit, (deployment) => orders.find((order) => hits(order, deployment))?.id);
}

/** Where operators' orders alone would have left something, it is the quarantine of the rest that a client must be told of. */
function whatLeftNothing(permit: Permit, orders: readonly RevocationOrder[]): Refusal {
  const byOperators = orders.filter((order) => !isQuarantine(order));
  const left = lessWhatIsHit(permit, byOperators);
  if (left === undefined) return { kind: "revoked", order: byOperators[0]?.id };
  const quarantine = orders.find((order) => left.deployments.some((deployment) => hits(order, deployment)));
  return { kind: "quarantined", order: quarantine?.id, what: "nothing_left" };
}
