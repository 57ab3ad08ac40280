import { concat } from "../bytes.ts";
import type { Cancel, Clock } from "../clock.ts";
import { headerValue, type HeaderList } from "../edge.ts";
import type { Lifetime } from "../lifetime.ts";
import type { Surface } from "../region/catalogue.ts";
import { Answer } from "./answer.ts";
import type { AttemptEnd, AttemptResult } from "./attempt-result.ts";
import type { Connection } from "./check-address.ts";
import { DocumentBody, isEventStream, StreamBody, type AnswerBody } from "./body.ts";
import { misplaced } from "./record.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { ServedPlace } from "./served-place.ts";
import type { Transport, TransportFailure, UpstreamCall, UpstreamListener, UpstreamRequest } from "./transport.ts";

export interface Deadlines {
  readonly connectMs: number;
  /** From sending to the head of the answer. */
  readonly firstByteMs: number;
  /** Between two pieces of the answer. */
  readonly idleMs: number;
  /** From the client's request to the end of the answer, all attempts included. */
  readonly totalMs: number;
  /** How long a stream's head is held for its first content. */
  readonly holdMs: number;
}

export interface BodyBounds {
  /** A held head, a held document and an error's body are never larger. */
  readonly holdBytes: number;
  readonly maxEventBytes: number;
}

interface FailureParts {
  readonly elsewhere: boolean;
  readonly busyMs?: number;
  readonly deadline?: "connect" | "first_byte" | "idle";
  readonly mismatch?: string;
}

export interface AttemptSettings {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly deadlines: Deadlines;
  readonly bounds: BodyBounds;
}

/** Statuses with which an upstream blames the request; every other error is the upstream's or the gateway's own. */
const requestFaults: ReadonlySet<number> = new Set([400, 409, 413, 415, 422]);
/** Statuses with which an upstream says that it is full. */
const busyStatuses: ReadonlySet<number> = new Set([429, 503, 529]);
/** Azure asks for this much where it says nothing. */
const defaultBusyMs = 1_000;

/** One try at one deployment, from the connection to the moment when its answer may go to the client. */
export function attempt(
  request: UpstreamRequest,
  surface: Surface,
  showUsage: boolean,
  place: ServedPlace,
  life: Lifetime,
  settings: AttemptSettings,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    new Attempt(request, surface, showUsage, place, life, settings, resolve).start();
  });
}

class Attempt implements UpstreamListener {
  readonly #request: UpstreamRequest;
  readonly #surface: Surface;
  readonly #showUsage: boolean;
  readonly #place: ServedPlace;
  readonly #life: Lifetime;
  readonly #settings: AttemptSettings;
  readonly #resolve: (result: AttemptResult) => void;
  #call: UpstreamCall | undefined;
  #timer: Cancel | undefined;
  #phase: "connecting" | "waiting" | "holding" | "faulting" | "answering" | "over" = "connecting";
  #status: number | undefined;
  #headers: HeaderList = [];
  #body: AnswerBody | undefined;
  #answer: Answer | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #lastDataMs = 0;
  #connection: Connection | undefined;

  constructor(
    request: UpstreamRequest,
    surface: Surface,
    showUsage: boolean,
    place: ServedPlace,
    life: Lifetime,
    settings: AttemptSettings,
    resolve: (result: AttemptResult) => void,
  ) {
    this.#request = request;
    this.#surface = surface;
    this.#showUsage = showUsage;
    this.#place = place;
    this.#life = life;
    this.#settings = settings;
    this.#resolve = resolve;
  }

  start(): void {
    this.#life.onCut((reason) => {
      const reached = this.#phase !== "connecting";
      this.#finish({ kind: "cut", reason, reached });
    });
    if (this.#phase === "over") return;
    this.#arm("connect", this.#settings.deadlines.connectMs);
    this.#call = this.#settings.transport.send(this.#request, this);
  }

  connected(connection?: Connection): void {
    if (this.#phase !== "connecting") return;
    this.#connection = connection;
    this.#phase = "waiting";
    this.#arm("first_byte", this.#settings.deadlines.firstByteMs);
  }

  head(status: number, headers: HeaderList): void {
    if (this.#phase === "over") return;
    this.#status = status;
    this.#headers = headers;
    // Whatever its status: the request has been where the answer comes from.
    if (this.#place.readHead(headers) !== undefined) return this.#misplaced();
    if (status === 200 || status === 201) {
      this.#phase = "holding";
      const stream = isEventStream(headers);
      this.#body = stream
        ? new StreamBody(this.#surface, this.#showUsage, this.#settings.bounds.maxEventBytes)
        : new DocumentBody();
      if (stream) this.#armHold();
      else this.#arm("idle", this.#settings.deadlines.idleMs);
      return;
    }
    this.#phase = "faulting";
    this.#arm("idle", this.#settings.deadlines.idleMs);
    // A redirect could lead anywhere, and no error body but the request's own fault is ever read. A 404 to a call by id
    // is the id's; to any other it is a deployment that is not there, which is the gateway's fault.
    if (!requestFaults.has(status) && (status !== 404 || this.#request.method === "POST")) this.#failStatus(status);
  }

  data(bytes: Uint8Array): void {
    if (this.#phase === "answering") return this.#answer?.data(bytes);
    this.#lastDataMs = this.#settings.clock.nowMs();
    if (this.#phase === "faulting") return this.#keep(bytes);
    if (this.#phase !== "holding" || this.#body === undefined) return;
    this.#body.push(bytes, this.#keep);
    if (this.#body.refused !== undefined) return this.#refusedInStream();
    if (this.#body instanceof StreamBody && this.#place.readBody(this.#body.reading) !== undefined) return this.#misplaced();
    if (!this.#body.committed && this.#heldBytes > this.#settings.bounds.holdBytes) this.#body.commit();
    if (this.#body.committed) this.#commit();
  }

  end(): void {
    if (this.#phase === "answering") return this.#answer?.ended();
    if (this.#phase === "faulting") return this.#faulted();
    if (this.#phase !== "holding" || this.#body === undefined) return;
    if (!this.#body.finished) return this.#failed("cut_off", { elsewhere: this.#heldBytes === 0 });
    if (this.#place.readWhole(this.#body.reading) !== undefined) return this.#misplaced();
    this.#body.commit();
    this.#commit();
    this.#answer?.ended();
  }

  fail(error: TransportFailure): void {
    if (this.#phase === "answering") return this.#answer?.failed();
    if (this.#phase === "over") return;
    const reached = this.#phase !== "connecting";
    if (error.phase === "refused") return this.#failed("connection_refused", { elsewhere: true, mismatch: error.message });
    const begun = this.#phase === "holding" && this.#heldBytes > 0;
    this.#failed(error.phase === "connect" || !reached ? "connect" : "reset", { elsewhere: !begun });
  }

  readonly #keep = (bytes: Uint8Array): void => {
    // Past the bound an error's body is cut; a held answer is committed by `data`.
    const room = this.#phase === "faulting" ? this.#settings.bounds.holdBytes - this.#heldBytes : bytes.length;
    if (room <= 0) return;
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
    this.#held.push(kept);
    this.#heldBytes += kept.length;
  };

  #commit(): void {
    if (this.#body === undefined || this.#call === undefined || this.#phase !== "holding") return;
    this.#phase = "answering";
    this.#answer = new Answer(this.#status ?? 200, this.#headers, this.#body, this.#place, this.#held, this.#call);
    this.#settle({ kind: "answering", answer: this.#answer });
  }

  /** Whatever holds a stream's head, it holds it for a bounded time. */
  #armHold(): void {
    this.#timer?.();
    this.#timer = this.#settings.clock.after(this.#settings.deadlines.holdMs, () => {
      if (this.#phase !== "holding") return;
      this.#body?.commit();
      this.#commit();
    });
  }

  #arm(deadline: "connect" | "first_byte" | "idle", delayMs: number): void {
    this.#timer?.();
    this.#timer = this.#settings.clock.after(delayMs, () => {
      // Idle is the time between two pieces: one timer that looks back costs less than one a piece.
      const leftMs = deadline === "idle" ? this.#lastDataMs + this.#settings.deadlines.idleMs - this.#settings.clock.nowMs() : 0;
      if (leftMs > 0) return this.#arm("idle", leftMs);
      const begun = this.#heldBytes > 0;
      this.#failed(`${deadline}_deadline`, { elsewhere: !begun, deadline });
    });
  }

  /** It was answered from elsewhere than declared; nothing of it was given to the client, so another place may be asked. */
  #misplaced(): void {
    const { mismatch } = this.#place;
    this.#failed(misplaced, { elsewhere: true, ...(mismatch === undefined ? {} : { mismatch }) });
  }

  #refusedInStream(): void {
    const refusal = this.#body?.refused;
    if (refusal === undefined) return;
    if (refusal.blames === "request") {
      // Nothing was sent yet, so the client gets the status that its SDK knows what to do with.
      const status = refusal.code === "request_too_large" ? 413 : 400;
      const error = this.#surface === "messages" ? { type: "error", error: refusal.error } : { error: refusal.error };
      return this.#finish({
        kind: "faulted",
        status,
        headers: this.#headers,
        body: new TextEncoder().encode(JSON.stringify(error)),
      });
    }
    const asked = retryAfterMs(this.#headers, this.#settings.clock.nowMs());
    const busyMs = refusal.blames === "capacity" ? (asked ?? defaultBusyMs) : asked;
    this.#failed(`refused_in_stream:${refusal.code}`, { elsewhere: true, ...(busyMs === undefined ? {} : { busyMs }) });
  }

  #failStatus(status: number): void {
    const asked = retryAfterMs(this.#headers, this.#settings.clock.nowMs());
    const busyMs = busyStatuses.has(status) && (status !== 503 || asked !== undefined) ? (asked ?? defaultBusyMs) : undefined;
    this.#failed(`status_${status}`, { elsewhere: true, ...(busyMs === undefined ? {} : { busyMs }) });
  }

  #faulted(): void {
    const body = concat(this.#held);
    this.#finish({ kind: "faulted", status: this.#status ?? 500, headers: this.#headers, body });
  }

  #failed(outcome: string, parts: FailureParts): void {
    if (this.#phase === "over" || this.#phase === "answering") return;
    this.#finish({
      kind: "failed",
      failure: {
        outcome,
        status: this.#status,
        elsewhere: parts.elsewhere,
        busyMs: parts.busyMs,
        deadline: parts.deadline,
        reached: this.#phase !== "connecting",
        upstreamRequestId: upstreamRequestId(this.#headers),
        mismatch: parts.mismatch,
      },
    });
  }

  /** Ends the attempt: nothing of it goes on. */
  #finish(result: AttemptEnd): void {
    if (this.#phase === "over") return;
    // An upstream that says no is not an upstream to hang up on: its connection is worth keeping.
    if (this.#phase === "faulting") this.#call?.discard();
    else this.#call?.abort();
    this.#phase = "over";
    this.#held = [];
    this.#settle(result);
  }

  #settle(result: AttemptEnd): void {
    this.#timer?.();
    this.#timer = undefined;
    this.#life.onCut(undefined);
    this.#resolve({ ...result, connection: this.#connection });
  }
}

export function upstreamRequestId(headers: HeaderList): string | undefined {
  return headerValue(headers, "apim-request-id") ?? headerValue(headers, "x-request-id") ?? headerValue(headers, "request-id");
}
