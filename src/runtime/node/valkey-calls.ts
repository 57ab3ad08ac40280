import type { ValkeyAnswer, ValkeyConnection } from "./valkey-connection.ts";
import type { ValkeyFunction } from "./valkey-library.ts";
import { bucketCount, epochOf, nowMsOf, type ValkeyReply } from "./valkey-wire.ts";

/** Told when a bucket's data are not those that were there at the last answer. */
export type OnLoss = (bucket: number) => void;

/** Calls, and what their answers tell beside what was asked: the server's time, and whether it still has its data. */
export class ValkeyCalls {
  readonly #connection: ValkeyConnection;
  readonly #timeoutMs: number;
  readonly #onLoss: OnLoss;
  /** By bucket; 0: not known yet. */
  readonly #epochs = new Float64Array(bucketCount);
  /** The server's clock minus this process's own, as of the last answer; by bucket, since a cluster has several clocks. */
  readonly #offsetsMs = new Float64Array(bucketCount).fill(Number.NaN);

  constructor(connection: ValkeyConnection, timeoutMs: number, onLoss: OnLoss) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#onLoss = onLoss;
  }

  async ask(name: ValkeyFunction, bucket: number, args: readonly string[]): Promise<ValkeyAnswer> {
    const answer = await this.#connection.call(name, bucket, args);
    this.#offsetsMs[bucket] = nowMsOf(answer.reply) - performance.now();
    const epoch = epochOf(answer.reply);
    const before = this.#epochs[bucket];
    this.#epochs[bucket] = epoch;
    if (before !== epoch && before !== 0) this.#onLoss(bucket);
    return answer;
  }

  async call(name: ValkeyFunction, bucket: number, args: readonly string[]): Promise<ValkeyReply> {
    return (await this.ask(name, bucket, args)).reply;
  }

  everyBucket(name: ValkeyFunction, args: readonly string[]): Promise<ValkeyReply>[] {
    return Array.from({ length: bucketCount }, (_, bucket) => this.call(name, bucket, args));
  }

  epochAt(bucket: number): number {
    return this.#epochs[bucket] ?? 0;
  }

  /** By the server's clock, when whoever asks now will have given up; 0 where that is not known yet. */
  deadlineMs(bucket: number): number {
    const serverMs = performance.now() + (this.#offsetsMs[bucket] ?? Number.NaN);
    return Number.isNaN(serverMs) ? 0 : Math.floor(serverMs + this.#timeoutMs);
  }
}
