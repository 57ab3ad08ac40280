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
  readonly #wanted: ReadonlySet<string>;
  readonly #wantedLengths: ReadonlySet<number>;
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
  #capturing = false;
  #capture: number[] = [];

  constructor(wanted: readonly string[], { maxMemberBytes = 16_384, depth = 1 }: ScanOptions = {}) {
    this.#wanted = new Set(wanted);
    this.#wantedLengths = new Set(wanted.map((name) => name.length));
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
      if (this.#inString) {
        if (this.#capturing) this.#keep(byte);
        if (this.#escaped) this.#escaped = false;
        else if (byte === 0x5c) this.#escaped = true;
        else if (byte === 0x22) this.#endString();
        else if (!this.#capturing) index = skipPlain(bytes, index);
        continue;
      }
      this.#structure(byte);
    }
  }

  #structure(byte: number): void {
    if (this.#closed) return; // whatever follows belongs to no document
    switch (byte) {
      case 0x22: // "
        this.#inString = true;
        if (this.#depth === this.#level && this.#expectKey) this.#begin();
        break;
      case 0x7b: // {
      case 0x5b: // [
        this.#depth++;
        if (this.#depth === this.#level) {
          this.#expectKey = this.#inObject = byte === 0x7b;
          return;
        }
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (this.#depth === this.#level) this.#endMember();
        this.#depth--;
        if (this.#depth === 0) this.#closed = true;
        break;
      case 0x2c: // ,
        if (this.#depth === this.#level) {
          this.#endMember();
          this.#expectKey = this.#inObject;
          return;
        }
        break;
      case 0x3a: // :
        if (this.#depth === this.#level && this.#expectKey) {
          this.#expectKey = false;
          if (this.#key !== undefined && this.#wanted.has(this.#key)) this.#begin();
          else this.#key = undefined;
          return;
        }
        break;
      default:
    }
    if (this.#capturing) this.#keep(byte);
  }

  #begin(): void {
    this.#capturing = true;
    this.#capture = [];
  }

  #keep(byte: number): void {
    if (this.#capture.length < this.#maxMemberBytes) {
      this.#capture.push(byte);
      return;
    }
    this.#capturing = false;
    this.#key = undefined;
  }

  #endString(): void {
    this.#inString = false;
    if (this.#depth !== this.#level || !this.#expectKey || !this.#capturing) return;
    // Most names are not wanted, and their length alone tells: reading them all cost more than the rest of the scan.
    const mayBeWanted = this.#wantedLengths.has(this.#capture.length - 2) || this.#capture.includes(0x5c);
    this.#key = mayBeWanted ? (this.#parse() as string | undefined) : undefined;
    this.#capturing = false;
  }

  #endMember(): void {
    // Of two members of one name the last counts, as it does for the client's parser.
    if (this.#capturing && this.#key !== undefined) {
      const value = this.#parse();
      if (value !== undefined) this.#found.set(this.#key, value);
    }
    this.#capturing = false;
    this.#key = undefined;
  }

  #parse(): unknown {
    try {
      return JSON.parse(this.#decoder.decode(Uint8Array.from(this.#capture))) as unknown;
    } catch {
      return undefined; // not JSON: a member that nobody can read is a member that was not reported
    }
  }
}

/** The last index before the next quote or backslash: most of an answer is text in which nothing happens. */
function skipPlain(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index + 1 < bytes.length && bytes[index + 1] !== 0x22 && bytes[index + 1] !== 0x5c) index++;
  return index;
}
