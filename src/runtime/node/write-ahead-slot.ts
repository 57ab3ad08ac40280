import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBusy } from "./sqlite-database.ts";

const segmentName = /^receipts-(\d{4})-(\d{8})\.wal$/;
const lockName = /^receipts-(\d{4})\.lock$/;
const mostSlots = 1_000;

/**
 * A numbered place in the folder that one process holds at a time. The lock is SQLite's on an otherwise empty file, for
 * the system drops it however the process dies; a process id would be taken again by another, and means nothing across
 * containers that share the folder. Lock files stay: deleting one while somebody opens it makes two holders.
 */
export class WriteAheadSlot {
  readonly folder: string;
  readonly number: number;
  readonly #lock: DatabaseSync;

  private constructor(folder: string, number: number, lock: DatabaseSync) {
    this.folder = folder;
    this.number = number;
    this.#lock = lock;
  }

  /** The first slot that is free, with whatever its last holder left in it. Makes the folder, readable by this user alone. */
  static take(folder: string): WriteAheadSlot {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (let number = 0; number < mostSlots; number++) {
      const slot = WriteAheadSlot.#lockSlot(folder, number);
      if (slot !== undefined) return slot;
    }
    throw new Error(`All ${mostSlots} places in ${folder} are taken. Give this gateway a STRAIT_DATA_DIR of its own.`);
  }

  /** A slot whose holder died and left receipts, if there is one. */
  static takeAbandoned(folder: string): WriteAheadSlot | undefined {
    const numbers = new Set(readdirSync(folder).flatMap((name) => segmentName.exec(name)?.[1] ?? []));
    for (const number of numbers) {
      const slot = WriteAheadSlot.#lockSlot(folder, Number(number));
      // Its holder may have delivered everything and left in between.
      if (slot !== undefined && slot.segments().length > 0) return slot;
      slot?.release();
    }
    return undefined;
  }

  /** All slots that had a holder and have none, taken. */
  static takeFree(folder: string): WriteAheadSlot[] {
    const numbers = readdirSync(folder).flatMap((name) => lockName.exec(name)?.[1] ?? []);
    return numbers.flatMap((number) => WriteAheadSlot.#lockSlot(folder, Number(number)) ?? []);
  }

  /** Whether receipts wait in the folder, of whichever process. */
  static holdsSegments(folder: string): boolean {
    return readdirSync(folder).some((name) => segmentName.test(name));
  }

  /** Numbers of the segments that are there, oldest first. */
  segments(): number[] {
    const numbers: number[] = [];
    for (const name of readdirSync(this.folder)) {
      const [, slot, segment] = segmentName.exec(name) ?? [];
      if (Number(slot) === this.number && segment !== undefined) numbers.push(Number(segment));
    }
    return numbers.sort((a, b) => a - b);
  }

  pathOf(segment: number): string {
    return join(this.folder, `receipts-${padded(this.number, 4)}-${padded(segment, 8)}.wal`);
  }

  release(): void {
    if (this.#lock.isOpen) this.#lock.close();
  }

  static #lockSlot(folder: string, number: number): WriteAheadSlot | undefined {
    const lock = new DatabaseSync(join(folder, `receipts-${padded(number, 4)}.lock`), { timeout: 0 });
    try {
      lock.exec("BEGIN EXCLUSIVE");
      return new WriteAheadSlot(folder, number, lock);
    } catch (error) {
      lock.close();
      if (!isBusy(error)) throw error;
      return undefined;
    }
  }
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, "0");
}
