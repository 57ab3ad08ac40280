import { headerValue, type BodyRead, type HeaderList, type Inbound, type Outbound } from "../../src/edge.ts";

const decoder = new TextDecoder();

/** Keeps what a client would get, and objects to what no client may see: a second head, a write after the end. */
export class RecordingOutbound implements Outbound {
  status: number | undefined;
  headers: HeaderList = [];
  readonly pieces: Uint8Array[] = [];
  ended = 0;
  cuts = 0;
  readonly violations: string[] = [];
  /** What the next writes answer: false where the client reads slower than it is written to. */
  slow = false;
  writes = 0;
  refusedWrites = 0;
  /** The rest of an answer that is over may be written without waiting. */
  finishing = false;
  #drained: (() => void) | undefined;
  #waiting = false;
  onEnded: (() => void) | undefined;

  get over(): boolean {
    return this.ended + this.cuts > 0;
  }

  get text(): string {
    return decoder.decode(this.bytes);
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.pieces.flatMap((piece) => [...piece]));
  }

  header(name: string): string | undefined {
    return headerValue(this.headers, name);
  }

  head(status: number, headers: HeaderList): void {
    if (this.status !== undefined) this.violations.push("a second head");
    if (this.over) this.violations.push("a head after the end");
    this.status = status;
    this.headers = headers;
  }

  write(bytes: Uint8Array): boolean {
    this.#take(bytes);
    if (this.#waiting && !this.finishing) this.violations.push("a write before the drain");
    this.writes++;
    if (!this.slow) return true;
    this.#waiting = true;
    this.refusedWrites++;
    return false;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  /** The client has caught up. */
  drain(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#drained?.();
  }

  end(last?: Uint8Array): void {
    if (last !== undefined) this.#take(last);
    this.#over("ended");
  }

  cut(): void {
    this.#over("cuts");
  }

  #take(bytes: Uint8Array): void {
    if (this.status === undefined) this.violations.push("bytes before the head");
    if (this.over) this.violations.push("bytes after the end");
    // Whoever reuses a buffer must not change what was sent.
    this.pieces.push(bytes.slice());
  }

  #over(how: "ended" | "cuts"): void {
    if (this.over) this.violations.push("a second end");
    this[how]++;
    this.onEnded?.();
  }
}

/** A client's request. */
export class ScriptedInbound implements Inbound {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #body: BodyRead;
  readonly #arrives: Promise<unknown> | undefined;
  #hungUp: (() => void) | undefined;

  constructor(parts: {
    method?: string;
    path?: string;
    query?: string;
    headers?: Readonly<Record<string, string>>;
    body?: string | Uint8Array | BodyRead;
    /** The body is whole only then. */
    arrives?: Promise<unknown>;
  }) {
    this.method = parts.method ?? "POST";
    this.path = parts.path ?? "/v1/chat/completions";
    this.query = parts.query ?? "";
    this.#headers = new Map(Object.entries({ "content-type": "application/json", ...parts.headers }));
    this.#arrives = parts.arrives;
    const { body = "" } = parts;
    this.#body =
      typeof body === "string"
        ? { ok: true, bytes: new TextEncoder().encode(body) }
        : body instanceof Uint8Array
          ? { ok: true, bytes: body }
          : body;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  async body(limitBytes: number): Promise<BodyRead> {
    await this.#arrives;
    const read = this.#body;
    return read.ok && read.bytes.length > limitBytes ? { ok: false, reason: "too_large" } : read;
  }

  onHangUp(callback: () => void): void {
    this.#hungUp = callback;
  }

  hangUp(): void {
    this.#hungUp?.();
  }
}
