import { headerValue, type HeaderList } from "../edge.ts";
import type { End } from "./record.ts";
import { unknownUsage, type MeteredUsage } from "./usage.ts";
import type { CutReason } from "../lifetime.ts";
import type { Refusal } from "../refusal.ts";
import type { Surface } from "../region/catalogue.ts";
import { EventFramer } from "./event-framer.ts";
import { MemberScanner } from "./member-scanner.ts";
import { StreamMeter } from "./meter.ts";
import { asObject, asText, readUsage } from "./read-usage.ts";
import type { StreamRefusal } from "./stream-refusal.ts";

/** What was read from an answer's body while it passed. */
export interface BodyReading {
  readonly usage: MeteredUsage;
  /** Whether the upstream itself reported what the whole answer used. */
  readonly usageComplete: boolean;
  readonly contentEvents: number;
  readonly servedModel: string | undefined;
  readonly responseId: string | undefined;
  readonly inferenceGeo: string | undefined;
}

/** How an answer's body ended, and what the client is still to be told. */
export interface BodyEnd {
  readonly end: End;
  /** Set where the client must get an error event instead of a proper end. */
  readonly refusal: Refusal | undefined;
}

/** How an answer ends that was stopped from outside, and what its client is told. */
export function endOfCut(reason: CutReason, revokedBy?: string): BodyEnd {
  switch (reason) {
    case "client_cancelled":
      return { end: "client_cancelled", refusal: undefined };
    case "revoked":
      return { end: "revoked", refusal: { kind: "revoked", order: revokedBy } };
    case "quarantined":
      return { end: "revoked", refusal: { kind: "quarantined", order: revokedBy, what: "cut" } };
    case "shutting_down":
      return { end: "deadline_passed", refusal: { kind: "shutting_down" } };
    case "deadline_passed":
      return { end: "deadline_passed", refusal: { kind: "upstream_timeout", deadline: "total" } };
  }
}

/**
 * An answer's body between the upstream's bytes and the client's. Until it has `committed`, nothing of it may reach the
 * client and the attempt may still be given up.
 */
export interface AnswerBody {
  readonly committed: boolean;
  /** The upstream's own no, found before commitment. */
  readonly refused: StreamRefusal | undefined;
  readonly reading: BodyReading;
  /** Whether the answer said of itself that it is complete. */
  readonly finished: boolean;
  /** Whether something of the gateway's own may be put in now: not where a part of an event has gone on already. */
  readonly betweenEvents: boolean;
  /** Takes bytes in; what may go on goes to `emit`. Nothing does once it has finished, however long the upstream talks. */
  push(bytes: Uint8Array, emit: (bytes: Uint8Array) => void): void;
  /** Gives up waiting for content: what is there goes to the client. */
  commit(): void;
}

/** A stream of server-sent events. */
export class StreamBody implements AnswerBody {
  readonly #framer: EventFramer;
  readonly #meter: StreamMeter;
  committed = false;
  refused: StreamRefusal | undefined;
  /** An upstream's error in mid-stream: its text may name what no client should see, so ours is sent instead. */
  failed: StreamRefusal | undefined;

  constructor(surface: Surface, showUsage: boolean, maxEventBytes: number) {
    this.#framer = new EventFramer(maxEventBytes);
    this.#meter = new StreamMeter(surface, showUsage);
  }

  get reading(): BodyReading {
    return this.#meter;
  }

  get finished(): boolean {
    return this.#meter.finished && this.failed === undefined;
  }

  commit(): void {
    this.committed = true;
  }

  get betweenEvents(): boolean {
    return !this.#framer.passing;
  }

  push(bytes: Uint8Array, emit: (bytes: Uint8Array) => void): void {
    // Behind the end, only the second half of the CR LF that made it may come.
    if (this.#meter.finished) return this.#framer.push(bytes.subarray(0, bytes[0] === 0x0a ? 1 : 0), this.#judge, emit);
    this.#framer.push(bytes, this.#judge, emit, this.#skim);
  }

  readonly #skim = (piece: Uint8Array, last: boolean): void => {
    this.#meter.skim(piece, last);
    this.committed = true;
  };

  readonly #judge = (event: Uint8Array): "pass" | "drop" => {
    // After a refusal or the end nothing follows that a client should see.
    if (this.refused !== undefined || this.failed !== undefined || this.#meter.finished) return "drop";
    const meaning = this.#meter.observe(event);
    if (meaning === "refusal") {
      if (this.committed) this.failed = this.#meter.refusal;
      else this.refused = this.#meter.refusal;
      return "drop";
    }
    if (meaning !== "prelude") this.committed = true;
    return meaning === "hidden" ? "drop" : "pass";
  };
}

/** A JSON document. Held whole while it is small, so that it is settled before the client sees it. */
export class DocumentBody implements AnswerBody {
  readonly #scanner = new MemberScanner(["usage", "model", "id", "service_tier"]);
  #whole: BodyReading | undefined;
  readonly refused: StreamRefusal | undefined = undefined;
  /** A document has no place for anything else. */
  readonly betweenEvents = false;
  committed = false;

  get finished(): boolean {
    return this.#scanner.complete;
  }

  get reading(): BodyReading {
    // Once all of it came, it says the same to everybody who asks: who served it, what it cost, what its receipt has.
    if (!this.#scanner.complete) return this.#read();
    return (this.#whole ??= this.#read());
  }

  #read(): BodyReading {
    const reported = this.#scanner.get("usage");
    const usage = readUsage(reported, this.#scanner.get("service_tier"));
    return {
      usage: usage ?? unknownUsage,
      usageComplete: usage !== undefined,
      contentEvents: 0,
      servedModel: asText(this.#scanner.get("model")),
      responseId: asText(this.#scanner.get("id")),
      inferenceGeo: asText(asObject(reported)?.["inference_geo"]),
    };
  }

  commit(): void {
    this.committed = true;
  }

  push(bytes: Uint8Array, emit: (bytes: Uint8Array) => void): void {
    if (this.#scanner.complete) return;
    this.#scanner.push(bytes);
    emit(bytes);
  }
}

export function isEventStream(headers: HeaderList): boolean {
  return headerValue(headers, "content-type")?.toLowerCase().startsWith("text/event-stream") === true;
}
