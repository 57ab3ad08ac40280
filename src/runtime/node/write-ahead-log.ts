import { open, readFile, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { StoreUnavailable } from "../../quota/store.ts";
import type { Log } from "../../log.ts";
import { frameOf, readFrames } from "./write-ahead-frame.ts";
import type { WriteAheadSlot } from "./write-ahead-slot.ts";

export interface WriteAheadLogOptions {
  /** `normal` survives the death of the process; `full` also that of the machine, at one sync to disk a write. */
  readonly synchronous: "normal" | "full";
  /** Of all that waits. */
  readonly mostBytes: number;
  /** A file is deleted once all of it is delivered, and delivered again from its beginning after a crash. */
  readonly segmentBytes: number;
}

interface Segment {
  readonly number: number;
  bytes: number;
  /** Where it came from a process that died, its end may be torn. */
  readonly recovered: boolean;
}

interface Active {
  readonly segment: Segment;
  readonly handle: FileHandle;
}

interface Waiting {
  readonly frame: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Payloads in files, in order, until they are delivered. What one turn of the event loop asks for, and what comes while
 * that is written, goes in one write. How far a file was delivered is kept in memory alone: whoever takes it over begins
 * at its beginning, and the receiver takes each payload once.
 */
export class WriteAheadLog {
  readonly #slot: WriteAheadSlot;
  readonly #options: WriteAheadLogOptions;
  readonly #log: Log;
  /** Oldest first. */
  readonly #segments: Segment[] = [];
  #bytes = 0;
  #nextNumber = 1;
  #active: Active | undefined;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;
  /** What was read of the oldest segment and not yet delivered, and how far the segment was read. */
  #ready: readonly string[] = [];
  #readBytes = 0;
  #damaged = false;

  private constructor(slot: WriteAheadSlot, options: WriteAheadLogOptions, log: Log) {
    this.#slot = slot;
    this.#options = options;
    this.#log = log;
  }

  static async open(slot: WriteAheadSlot, options: WriteAheadLogOptions, log: Log): Promise<WriteAheadLog> {
    const opened = new WriteAheadLog(slot, options, log);
    for (const number of slot.segments()) {
      const { size } = await stat(slot.pathOf(number));
      opened.#segments.push({ number, bytes: size, recovered: true });
      opened.#bytes += size;
      opened.#nextNumber = number + 1;
    }
    return opened;
  }

  get slot(): number {
    return this.#slot.number;
  }

  /** Of files that are not yet wholly delivered, and of what is being written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Durable when it resolves. @throws {StoreUnavailable} where there is no room or the disk fails. */
  append(payload: string): Promise<void> {
    const frame = frameOf(payload);
    if (this.#closed) return Promise.reject(new StoreUnavailable("The write-ahead file is closed."));
    if (this.#bytes + frame.length > this.#options.mostBytes)
      return Promise.reject(new StoreUnavailable("The write-ahead file is full."));
    this.#bytes += frame.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ frame, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** The oldest payloads that are not delivered, at most `count`; none where nothing waits. */
  async next(count: number): Promise<readonly string[]> {
    while (this.#ready.length === 0) {
      const [oldest] = this.#segments;
      if (oldest === undefined || !(await this.#readOn(oldest))) return [];
    }
    return this.#ready.slice(0, count);
  }

  /** The oldest `count` payloads are delivered. */
  async delivered(count: number): Promise<void> {
    this.#ready = this.#ready.slice(count);
    const [oldest] = this.#segments;
    if (this.#ready.length === 0 && oldest !== undefined) await this.#dropIfDone(oldest);
  }

  /** Finishes what is being written. What waits stays, for whoever holds the slot next. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#seal();
    this.#slot.release();
  }

  async #write(): Promise<void> {
    // What else this turn asks for comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const frames = Buffer.concat(batch.map(({ frame }) => frame));
    try {
      const { segment, handle } = this.#active ?? (await this.#openSegment());
      await writeAll(handle, frames, segment.bytes);
      if (this.#options.synchronous === "full") await handle.datasync();
      segment.bytes += frames.length;
    } catch (error) {
      this.#bytes -= frames.length;
      // The next write begins at the same place. What is left there where this fails too is no whole frame of anybody.
      await this.#active?.handle.truncate(this.#active.segment.bytes).catch(() => undefined);
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error("the write-ahead file could not be written", { error: reason });
      const unavailable = new StoreUnavailable(`The write-ahead file could not be written: ${reason}`, { cause: error });
      for (const { reject } of batch) reject(unavailable);
      return;
    }
    for (const { resolve } of batch) resolve();
    if ((this.#active?.segment.bytes ?? 0) >= this.#options.segmentBytes) await this.#seal();
  }

  async #openSegment(): Promise<Active> {
    const segment: Segment = { number: this.#nextNumber, bytes: 0, recovered: false };
    const handle = await open(this.#slot.pathOf(segment.number), "wx", 0o600);
    this.#nextNumber++;
    if (this.#options.synchronous === "full") await syncFolder(this.#slot.folder);
    // Both at once: a segment that nobody writes to is dropped as soon as it has nothing left to deliver.
    this.#segments.push(segment);
    this.#active = { segment, handle };
    return this.#active;
  }

  /** Nothing is written to the segment from here on. */
  async #seal(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.handle.close();
  }

  /** Whether there was more to read, or a segment with nothing left was dropped. */
  async #readOn(segment: Segment): Promise<boolean> {
    const until = segment.bytes;
    if (this.#readBytes === until) return this.#dropIfDone(segment);
    const file = await readFile(this.#slot.pathOf(segment.number));
    const { payloads, tornBytes, damagedBytes } = readFrames(file.subarray(this.#readBytes, until));
    this.#readBytes = until;
    this.#ready = payloads;
    const path = this.#slot.pathOf(segment.number);
    if (damagedBytes > 0 || (tornBytes > 0 && !segment.recovered)) {
      this.#damaged = true;
      this.#log.error("a write-ahead file is damaged; it is kept beside the others", {
        path: `${path}.damaged`,
        bytes: damagedBytes + tornBytes,
      });
    } else if (tornBytes > 0) {
      this.#log.warn("the end of a write-ahead file, being written when its gateway died, was dropped", {
        path,
        bytes: tornBytes,
      });
    }
    return true;
  }

  /** False where the segment is being written to and will have more. */
  async #dropIfDone(segment: Segment): Promise<boolean> {
    if (this.#readBytes !== segment.bytes) return true;
    if (this.#active?.segment === segment) {
      if (this.#writing !== undefined) return false;
      await this.#seal();
    }
    const path = this.#slot.pathOf(segment.number);
    await (this.#damaged ? rename(path, `${path}.damaged`) : unlink(path));
    this.#segments.shift();
    this.#bytes -= segment.bytes;
    this.#readBytes = 0;
    this.#damaged = false;
    return true;
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
