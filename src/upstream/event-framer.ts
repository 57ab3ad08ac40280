const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** What to do with one whole event: send it on, or keep it from the client. */
export type EventVerdict = "pass" | "drop";

/** Sees the pieces of an event that is too large to be held, and which of them is the last. */
export type Skim = (piece: Uint8Array, last: boolean) => void;

const ignore: Skim = () => {};

/**
 * Cuts a stream of bytes into whole server-sent events, at any chunk boundary and with any of the three line ends.
 *
 * Only whole events leave: the tail of a half-received event waits for its rest. So an event can still be dropped, a
 * keep-alive or an error event can be put between any two, and an upstream that dies in the middle of an event leaves
 * the client with a well-formed stream. Where every event of a chunk passes, the chunk itself is handed on, uncopied.
 */
export class EventFramer {
  readonly #maxEventBytes: number;
  #held: Uint8Array = new Uint8Array(0);
  #heldLength = 0;
  #atLineStart = true;
  #afterReturn = false;
  /** Inside an event too large to hold: its bytes pass as they come, and are only skimmed. */
  #oversized = false;
  /** What became of the last event: the second half of a CR LF that came apart goes where its event went. */
  #lastVerdict: EventVerdict = "pass";

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  /** Whether an event was begun and not ended. */
  get midEvent(): boolean {
    return this.#heldLength > 0 || this.#oversized;
  }

  /** Whether a part of an event has left already: whatever is put in now would stand in its middle. */
  get passing(): boolean {
    return this.#oversized;
  }

  /**
   * Calls `judge` with each event that became whole, and `emit` with the bytes that go on, in order. An event that is too
   * large to be judged goes on in pieces, each shown to `skim` first.
   */
  push(
    chunk: Uint8Array,
    judge: (event: Uint8Array) => EventVerdict,
    emit: (bytes: Uint8Array) => void,
    skim: Skim = ignore,
  ): void {
    let eventStart = 0;
    let passStart = 0;
    let atLineStart = this.#atLineStart;
    let afterReturn = this.#afterReturn;
    const splitReturn = afterReturn && atLineStart && !this.midEvent && chunk[0] === lineFeed;
    if (splitReturn) {
      eventStart = 1;
      afterReturn = false;
      if (this.#lastVerdict === "drop") passStart = 1;
    }
    for (let index = eventStart; index < chunk.length; index++) {
      const byte = chunk[index];
      if (byte !== lineFeed && byte !== carriageReturn) {
        atLineStart = false;
        afterReturn = false;
        continue;
      }
      if (byte === lineFeed && afterReturn) {
        afterReturn = false; // the second half of one CR LF
        continue;
      }
      afterReturn = byte === carriageReturn;
      if (!atLineStart) {
        atLineStart = true;
        continue;
      }
      // A blank line ends the event. A CR LF belongs to it whole where both halves are here.
      if (afterReturn && chunk[index + 1] === lineFeed) {
        index++;
        afterReturn = false;
      }
      const end = index + 1;
      if (this.#heldLength > 0) {
        const event = this.#takeHeld(chunk.subarray(eventStart, end));
        this.#lastVerdict = judge(event);
        if (this.#lastVerdict === "pass") emit(event);
        passStart = end;
      } else if (this.#oversized) {
        this.#oversized = false;
        this.#lastVerdict = "pass";
        skim(chunk.subarray(eventStart, end), true);
      } else {
        this.#lastVerdict = judge(eventStart === 0 && end === chunk.length ? chunk : chunk.subarray(eventStart, end));
        if (this.#lastVerdict === "drop") {
          if (passStart < eventStart) emit(chunk.subarray(passStart, eventStart));
          passStart = end;
        }
      }
      eventStart = end;
    }
    this.#atLineStart = atLineStart;
    this.#afterReturn = afterReturn;
    if (this.#oversized) {
      skim(chunk, false);
      eventStart = chunk.length;
    }
    if (passStart < eventStart)
      emit(passStart === 0 && eventStart === chunk.length ? chunk : chunk.subarray(passStart, eventStart));
    if (eventStart < chunk.length) this.#hold(chunk.subarray(eventStart), emit, skim);
  }

  #hold(bytes: Uint8Array, emit: (bytes: Uint8Array) => void, skim: Skim): void {
    const length = this.#heldLength + bytes.length;
    if (length > this.#maxEventBytes) {
      this.#oversized = true;
      const piece = this.#takeHeld(bytes);
      skim(piece, false);
      emit(piece);
      return;
    }
    if (length > this.#held.length) {
      // Doubling keeps an event that arrives byte by byte linear.
      const grown = new Uint8Array(Math.min(this.#maxEventBytes, Math.max(1024, length * 2)));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#heldLength);
    this.#heldLength = length;
  }

  #takeHeld(rest: Uint8Array): Uint8Array {
    const whole = new Uint8Array(this.#heldLength + rest.length);
    whole.set(this.#held.subarray(0, this.#heldLength));
    whole.set(rest, this.#heldLength);
    this.#heldLength = 0;
    // A large event must not pin its buffer for the rest of a long stream.
    if (this.#held.length > 16_384) this.#held = new Uint8Array(0);
    return whole;
  }
}

/** The `event:` name and the joined `data:` of one event's text. */
export function parseEvent(text: string): { readonly name: string | undefined; readonly data: string } {
  let name: string | undefined;
  let data: string | undefined;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === "event") name = value;
    else if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
  }
  return { name, data: data ?? "" };
}
