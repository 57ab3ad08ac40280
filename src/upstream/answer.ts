import type { Cancel, Clock } from "../clock.ts";
import type { HeaderList, Outbound } from "../edge.ts";
import type { KeyedDigest } from "../hashes.ts";
import type { CutReason, Lifetime } from "../lifetime.ts";
import { endOfCut, isEventStream, StreamBody, type AnswerBody, type BodyEnd, type BodyReading } from "./body.ts";
import type { ServedPlace } from "./served-place.ts";
import type { UpstreamCall } from "./transport.ts";

export interface RelaySettings {
  readonly clock: Clock;
  readonly idleMs: number;
  /** How long a stream may be silent before a keep-alive is sent. */
  readonly keepAliveMs: number;
  readonly keepAlive: Uint8Array;
  /** Gets every byte that is written. */
  readonly digest?: KeyedDigest | undefined;
  /** Once a stream said that it is complete, how long its connection may take to end. */
  readonly lingerMs: number;
}

const misplacedEnd: BodyEnd = { end: "upstream_failed", refusal: { kind: "place_mismatch" } };
const blankLine = Uint8Array.of(0x0a, 0x0a);

/**
 * An upstream's committed answer, on its way to the client. Ends exactly once, whichever of the upstream, the client,
 * the deadlines and the operator is first: one hang-up was seen to be reported three times over.
 *
 * The last piece is kept back when the body ends, so that the exchange is settled and recorded before the client can
 * know that it is over and ask for its receipt or refer to its id.
 */
export class Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly stream: boolean;
  readonly #body: AnswerBody;
  readonly #place: ServedPlace;
  readonly #call: UpstreamCall;
  /** What may go to the client and was not yet written. */
  #queue: Uint8Array[];
  #outbound: Outbound | undefined;
  #blocked = false;
  #paused = false;
  #end: BodyEnd | undefined;
  #onEnd: ((end: BodyEnd) => void) | undefined;
  #lastDataMs = 0;
  #lastWriteMs = 0;
  #finishedMs: number | undefined;
  #timer: Cancel | undefined;
  #settings: RelaySettings | undefined;
  #wroteBytes = false;
  #draining = false;

  constructor(status: number, headers: HeaderList, body: AnswerBody, place: ServedPlace, held: Uint8Array[], call: UpstreamCall) {
    this.status = status;
    this.headers = headers;
    this.stream = isEventStream(headers);
    this.#body = body;
    this.#place = place;
    this.#queue = held;
    this.#call = call;
  }

  get reading(): BodyReading {
    return this.#body.reading;
  }

  /** The deployment that really served it, and how what it said of its place contradicts what is declared. */
  get place(): Pick<ServedPlace, "served" | "mismatch"> {
    return this.#place;
  }

  /** Whether any byte was handed to the client's connection. */
  get wroteBytes(): boolean {
    return this.#wroteBytes;
  }

  // What the upstream says, through the attempt.

  data(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.#lastDataMs = this.#settings?.clock.nowMs() ?? 0;
    const wasFinished = this.#body.finished;
    this.#body.push(bytes, this.#enqueue);
    if (this.#body instanceof StreamBody && this.#body.failed !== undefined) {
      this.#call.abort();
      return this.#conclude({
        end: "upstream_failed",
        refusal: { kind: "upstream_failed", detail: "it reported an error in its stream" },
      });
    }
    if (this.#body instanceof StreamBody && this.#place.readBody(this.#body.reading) !== undefined) {
      this.#call.abort();
      return this.#conclude(misplacedEnd);
    }
    this.#flush();
    if (this.#body.finished && !wasFinished) this.#watch();
  }

  ended(): void {
    if (this.#body.finished) this.#conclude({ end: "completed", refusal: undefined });
    else this.#conclude({ end: "upstream_failed", refusal: { kind: "upstream_cut_off" } });
  }

  failed(): void {
    this.ended();
  }

  /** Whether the whole body is here already, so that head and body can go out in one piece. */
  get whole(): boolean {
    return this.#end !== undefined && !this.#wroteBytes;
  }

  /** Sends the body on as it comes and resolves with its end, the last piece still to be written by `finish`. */
  relay(outbound: Outbound, life: Lifetime, settings: RelaySettings): Promise<BodyEnd> {
    return new Promise((resolve) => {
      this.#settings = settings;
      this.#lastDataMs = this.#lastWriteMs = settings.clock.nowMs();
      this.#onEnd = resolve;
      if (this.#end !== undefined) return resolve(this.#end);
      this.#outbound = outbound;
      outbound.onDrain(() => {
        this.#blocked = false;
        this.#lastWriteMs = this.#lastDataMs = settings.clock.nowMs();
        this.#flush();
        this.#slowDown();
      });
      life.onLeave(() => this.#drain());
      life.onCut((reason) => {
        this.#call.abort();
        // Whatever was not written when it was revoked never will be.
        if (life.revokedBy !== undefined) this.#queue = [];
        this.#conclude(this.#endOfCut(reason, life.revokedBy));
      });
      this.#flush();
      this.#watch();
    });
  }

  /** Ends the call of an answer that nobody will relay. */
  abandon(): void {
    this.#call.abort();
    this.#conclude({ end: "upstream_failed", refusal: { kind: "internal" } });
    this.#queue = [];
  }

  /** What is left to write once all is settled. */
  remainder(): readonly Uint8Array[] {
    return this.#queue;
  }

  #endOfCut(reason: CutReason, revokedBy: string | undefined): BodyEnd {
    // What lingers behind a complete answer is nothing that the client must be told of.
    const late = reason === "shutting_down" || reason === "deadline_passed";
    return late && this.#body.finished ? { end: "completed", refusal: undefined } : endOfCut(reason, revokedBy);
  }

  readonly #enqueue = (bytes: Uint8Array): void => {
    if (!this.#draining) this.#queue.push(bytes);
  };

  /** Writes what may be written. What says "complete" waits in the queue until the end. */
  #flush(): void {
    if (this.#outbound === undefined) return;
    if (!this.#body.finished && this.#end === undefined && this.#queue.length > 0) {
      for (let index = 0; index < this.#queue.length; index++) {
        if (this.#blocked) {
          this.#queue.splice(0, index);
          return this.#slowDown();
        }
        const piece = this.#queue[index] as Uint8Array;
        this.#wroteBytes = true;
        this.#write(piece);
      }
      this.#queue.length = 0;
      // Silence is what the client hears: bytes of an event that is not whole yet, or is kept from it, do not break it.
      this.#lastWriteMs = this.#lastDataMs;
    }
    this.#slowDown();
  }

  #write(piece: Uint8Array): void {
    if (this.#outbound === undefined) return;
    this.#settings?.digest?.update(piece);
    if (!this.#outbound.write(piece)) this.#blocked = true;
  }

  /** The client is gone: what still comes is read for what it says of itself, as fast as it comes. */
  #drain(): void {
    this.#draining = true;
    this.#outbound = undefined;
    this.#queue = [];
    this.#blocked = false;
    this.#slowDown();
  }

  /** A slow client slows the upstream: nothing is read that cannot be written. */
  #slowDown(): void {
    const full = this.#blocked;
    if (full === this.#paused || this.#end !== undefined) return;
    this.#paused = full;
    if (full) this.#call.pause();
    else this.#call.resume();
  }

  /** One timer a stream looks after silence, idleness and lingering, instead of one timer a piece. */
  #watch(): void {
    const settings = this.#settings;
    if (settings === undefined || this.#end !== undefined) return;
    this.#timer?.();
    const nowMs = settings.clock.nowMs();
    const sinceData = nowMs - this.#lastDataMs;
    if (this.#body.finished) {
      // From the end on, not from the last byte: an upstream that goes on talking must not hold the client's last piece.
      this.#finishedMs ??= nowMs;
      const lingeredMs = nowMs - this.#finishedMs;
      if (lingeredMs >= settings.lingerMs) {
        this.#call.abort();
        return this.#conclude({ end: "completed", refusal: undefined });
      }
      this.#timer = settings.clock.after(settings.lingerMs - lingeredMs, this.#tick);
      return;
    }
    // A client that does not read is not an upstream that does not send.
    if (!this.#blocked && sinceData >= settings.idleMs) {
      this.#call.abort();
      return this.#conclude({ end: "deadline_passed", refusal: { kind: "upstream_timeout", deadline: "idle" } });
    }
    let quietLeft = settings.keepAliveMs;
    if (!this.#blocked && this.#body.betweenEvents) {
      const quietMs = nowMs - this.#lastWriteMs;
      if (quietMs >= settings.keepAliveMs) {
        this.#lastWriteMs = nowMs;
        this.#write(settings.keepAlive);
        this.#slowDown();
      } else quietLeft -= quietMs;
    }
    // While the client is the slow one, nothing is due before it has caught up.
    const idleLeft = this.#blocked ? settings.idleMs : settings.idleMs - sinceData;
    this.#timer = settings.clock.after(Math.min(quietLeft, idleLeft), this.#tick);
  }

  readonly #tick = (): void => this.#watch();

  #conclude(given: BodyEnd): void {
    if (this.#end !== undefined) return;
    const isMisplaced = given.end === "completed" && this.#place.readWhole(this.#body.reading) !== undefined;
    const end = isMisplaced ? misplacedEnd : given;
    this.#end = end;
    this.#timer?.();
    // What was not sent yet comes from nobody knows where.
    if (end === misplacedEnd) this.#queue = [];
    // What is put behind half an event would be read as its rest.
    const halfEvent = !this.#body.betweenEvents || end.end === "revoked";
    if (this.stream && end.refusal !== undefined && halfEvent) this.#enqueue(blankLine);
    this.#onEnd?.(end);
  }
}
