import { concat } from "../bytes.ts";

export interface ScanOptions {
  /** A member whose text is larger is taken for not there. */
  readonly maxMemberBytes?: number;
  /** 1 for the members of the document itself, 2 for those of the objects in it. */
  readonly depth?: 1 | 2;
}

/**
 * Picks a few members out of a JSON object while its bytes pass, at any chunk boundary, without holding or
 * parsing the rest: an answer of embeddings may be many megabytes around forty bytes of usage.
 */
export class MemberScanner {
  readonly #wanted: readonly string[];
  readonly #found = new Map<string, unknown>();
  readonly #maxMemberBytes: number;
  readonly #level: number;
  readonly #decoder = new TextDecoder();
  #depth = 0;
  #inString = false;
  #escaped = false;
  #closed = false;
  /** On the level looked at, a string is a key until its colon has passed. */
  #expectKey = false;
  #inObject = false;
  #key: string | undefined;
  #keyHasEscapes = false;
  /** Where in the bytes at hand the key or the member begins that is being taken; `undefined` where none is. */
  #from: number | undefined;
  /** What came of it in earlier bytes. */
  #earlier: Uint8Array = nothing;

  /** `wanted` are names in ASCII. */
  constructor(wanted: readonly string[], { maxMemberBytes = 16_384, depth = 1 }: ScanOptions = {}) {
    this.#wanted = wanted;
    this.#maxMemberBytes = maxMemberBytes;
    this.#level = depth;
  }

  /** Whether the object was closed: false at the end of the bytes means that they were cut short. */
  get complete(): boolean {
    return this.#closed;
  }

  get(member: string): unknown {
    return this.#found.get(member);
  }

  push(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index] as number;
      if (!this.#inString) this.#structure(byte, bytes, index);
      else if (this.#escaped) this.#escaped = false;
      else if (byte === 0x5c) this.#escaped = this.#keyHasEscapes = true;
      else if (byte === 0x22) this.#endString(bytes, index + 1);
      else index = skipPlain(bytes, index);
    }
    this.#carry(bytes);
  }

  #structure(byte: number, bytes: Uint8Array, index: number): void {
    if (this.#closed) return; // whatever follows belongs to no document
    switch (byte) {
      case 0x22: // "
        this.#inString = true;
        if (this.#depth === this.#level && this.#expectKey) {
          this.#from = index;
          this.#keyHasEscapes = false;
        }
        break;
      case 0x7b: // {
      case 0x5b: // [
        this.#depth++;
        if (this.#depth === this.#level) this.#expectKey = this.#inObject = byte === 0x7b;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (this.#depth === this.#level) this.#endMember(bytes, index);
        this.#depth--;
        if (this.#depth === 0) this.#closed = true;
        break;
      case 0x2c: // ,
        if (this.#depth === this.#level) {
          this.#endMember(bytes, index);
          this.#expectKey = this.#inObject;
        }
        break;
      case 0x3a: // :
        if (this.#depth === this.#level && this.#expectKey) {
          this.#expectKey = false;
          if (this.#key !== undefined) this.#from = index + 1;
        }
        break;
      default:
    }
  }

  #endString(bytes: Uint8Array, end: number): void {
    this.#inString = false;
    if (this.#depth === this.#level && this.#expectKey) this.#key = this.#wantedName(this.#take(bytes, end));
  }

  #wantedName(key: Uint8Array | undefined): string | undefined {
    if (key === undefined) return undefined;
    if (!this.#keyHasEscapes) return this.#wanted.find((name) => isQuoted(name, key));
    const parsed = this.#parse(key);
    return this.#wanted.find((name) => name === parsed);
  }

  #endMember(bytes: Uint8Array, end: number): void {
    const member = this.#take(bytes, end);
    // Of two members of one name the last counts, as it does for the client's parser.
    if (this.#key !== undefined && member !== undefined) {
      const value = this.#parse(member);
      if (value !== undefined) this.#found.set(this.#key, value);
    }
    this.#key = undefined;
  }

  /** What was being taken, up to `end`; `undefined` where nothing was, or it is too large. */
  #take(bytes: Uint8Array, end: number): Uint8Array | undefined {
    if (this.#from === undefined) return undefined;
    const last = bytes.subarray(this.#from, end);
    const whole = this.#earlier.length === 0 ? last : concat([this.#earlier, last]);
    this.#from = undefined;
    this.#earlier = nothing;
    return whole.length > this.#maxMemberBytes ? undefined : whole;
  }

  /** Keeps what is being taken beyond the bytes at hand, as long as it is not too large. */
  #carry(bytes: Uint8Array): void {
    if (this.#from === undefined) return;
    const begun = concat([this.#earlier, bytes.subarray(this.#from)]);
    const isTooLarge = begun.length > this.#maxMemberBytes;
    this.#from = isTooLarge ? undefined : 0;
    this.#earlier = isTooLarge ? nothing : begun;
  }

  #parse(text: Uint8Array): unknown {
    try {
      return JSON.parse(this.#decoder.decode(text)) as unknown;
    } catch {
      return undefined; // not JSON: a member that nobody can read is a member that was not reported
    }
  }
}

const nothing = new Uint8Array(0);

/** Whether the bytes are this name between quotes: most keys are not wanted, and decoding them all would cost most of a scan. */
function isQuoted(name: string, bytes: Uint8Array): boolean {
  if (bytes.length !== name.length + 2) return false;
  for (let index = 0; index < name.length; index++) if (bytes[index + 1] !== name.charCodeAt(index)) return false;
  return true;
}

/** The last index before the next quote or backslash: most of an answer is text in which nothing happens. */
function skipPlain(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index + 1 < bytes.length && bytes[index + 1] !== 0x22 && bytes[index + 1] !== 0x5c) index++;
  return index;
}
