import { sleep, type Clock, type Entropy } from "../clock.ts";
import type { Reply, SimulatedEvent } from "./exchange.ts";
import type { BreakingFault, FaultPlan } from "./faults.ts";
import type { AnswerEnd, StatsCounter } from "./stats.ts";

/** The connection is to be destroyed: an edge that can must really do so, and a stream must fail. */
export class ConnectionReset extends Error {
  override readonly name = "ConnectionReset";
  constructor() {
    super("The simulated region has reset the connection.");
  }
}

/** A body that is drawn piece by piece, so that whoever reads slowly slows it. */
export interface SimulatedBody {
  /** The next piece, to be sent by itself; `undefined` at the end. Rejects with `ConnectionReset`. */
  next(): Promise<Uint8Array | undefined>;
  /** The client has gone. Wakes a `next` that waits. */
  cancel(): void;
}

export interface BodyOptions {
  readonly clock: Clock;
  readonly plan: FaultPlan;
  readonly tokensPerSecond: number;
  readonly stats: StatsCounter;
  readonly end: (end: AnswerEnd) => void;
  /** What is sent where a fault breaks the stream off with an error. */
  readonly failure: Reply["failure"];
  /** Whether the pieces are server-sent events, which are counted. */
  readonly stream: boolean;
}

const encoder = new TextEncoder();
const defaultHugeBytes = 1024 * 1024;

export class PacedBody implements SimulatedBody {
  readonly #options: BodyOptions;
  readonly #gone = new AbortController();
  readonly #pieces: AsyncGenerator<Uint8Array, AnswerEnd>;

  constructor(events: Iterable<SimulatedEvent>, options: BodyOptions) {
    this.#options = options;
    this.#pieces = this.#deliver(events);
  }

  async next(): Promise<Uint8Array | undefined> {
    try {
      const piece = await this.#pieces.next();
      if (piece.done !== true) return piece.value;
      this.#options.end(piece.value ?? "completed");
      return undefined;
    } catch (error) {
      this.#options.end("cut");
      throw error;
    }
  }

  cancel(): void {
    this.#options.end("cancelled");
    this.#gone.abort();
  }

  async *#deliver(events: Iterable<SimulatedEvent>): AsyncGenerator<Uint8Array, AnswerEnd> {
    const { clock, plan, stats, tokensPerSecond, stream } = this.#options;
    const { breaking } = plan;
    const breakAfter = breaking === undefined ? Infinity : eventsBefore(breaking, stream);
    const delayMs = plan.altering("slow")?.delayMs ?? 0;
    const startMs = clock.nowMs();
    let tokens = 0;
    let index = 0;
    for (const event of events) {
      if (breaking !== undefined && breakAfter < Infinity && (index >= breakAfter || event.terminal)) {
        return yield* this.#breakOff(breaking);
      }
      tokens += event.tokens;
      if (delayMs > 0) await this.#pause(delayMs);
      // By the schedule and not by the interval: timers are late by up to a millisecond, which would add up.
      if (tokensPerSecond > 0 && event.tokens > 0) await this.#pause(startMs + (tokens * 1000) / tokensPerSecond - clock.nowMs());
      if (this.#gone.signal.aborted) return "cancelled";
      if (stream) stats.events++;
      stats.outputTokens += event.tokens;
      yield* this.#send(encoder.encode(this.#padded(event.frame, index)));
      index++;
    }
    return "completed";
  }

  async *#breakOff(fault: BreakingFault): AsyncGenerator<Uint8Array, AnswerEnd> {
    await this.#pause(fault.afterMs ?? 0);
    switch (fault.kind) {
      case "reset":
        throw new ConnectionReset();
      case "stall":
        await silence(this.#options.clock, this.#gone.signal);
        return "cancelled";
      case "error-mid-stream": {
        const code = fault.code ?? "server_error";
        const message = fault.message ?? "Simulated fault: the upstream failed in the middle of its answer.";
        this.#options.stats.events++;
        yield* this.#send(encoder.encode(this.#options.failure({ type: code, code, message }).frame));
        return "cut";
      }
      default:
        return "cut";
    }
  }

  *#send(bytes: Uint8Array): Generator<Uint8Array> {
    this.#options.stats.bytes += bytes.length;
    yield bytes;
  }

  #padded(frame: string, index: number): string {
    const huge = this.#options.plan.altering("huge-event");
    if (huge === undefined || index !== (huge.afterEvents ?? 1)) return frame;
    const spaces = " ".repeat(huge.bytes ?? defaultHugeBytes);
    return frame.endsWith("\n\n") ? `${frame.slice(0, -2)}${spaces}\n\n` : frame + spaces;
  }

  async #pause(delayMs: number): Promise<void> {
    if (delayMs > 0) await sleep(this.#options.clock, delayMs, this.#gone.signal);
  }
}

/** Chops a body at random places; between the pieces a timer passes, or the socket would join them again. */
export class SplitBody implements SimulatedBody {
  readonly #body: SimulatedBody;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #maxBytes: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(body: SimulatedBody, clock: Clock, entropy: Entropy, maxBytes: number = 64) {
    this.#body = body;
    this.#clock = clock;
    this.#entropy = entropy;
    this.#maxBytes = maxBytes;
  }

  async next(): Promise<Uint8Array | undefined> {
    await sleep(this.#clock, 0);
    while (this.#rest.length === 0) {
      const piece = await this.#body.next();
      if (piece === undefined) return undefined;
      this.#rest = piece;
    }
    const [high = 0, low = 0] = this.#entropy.bytes(2);
    const length = 1 + ((high * 256 + low) % this.#maxBytes);
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return piece;
  }

  cancel(): void {
    this.#body.cancel();
  }
}

/** After how many pieces this fault breaks a body off; `Infinity` where it acts on the head alone. */
export function eventsBefore(fault: BreakingFault, stream: boolean): number {
  switch (fault.kind) {
    case "reset":
    case "stall":
      return fault.afterEvents ?? Infinity;
    case "truncation":
    case "error-mid-stream":
      return fault.afterEvents ?? (stream ? 3 : 1);
    default:
      return Infinity;
  }
}

const silenceMs = 3_600_000;

/** Nothing, until the client gives up; on a timer, because workerd ends at once a request in which nothing can ever happen. */
export function silence(clock: Clock, signal: AbortSignal): Promise<void> {
  return sleep(clock, silenceMs, signal);
}
