const bitsAWord = 32;

/**
 * Some of a list of rules, by their places in it: a bit for each, so that sets of hundreds of rules are joined and compared
 * in a few steps.
 */
export class BitSet {
  readonly #words: Int32Array;

  /** Empty; `size` is how many rules the list has. */
  constructor(size: number | Int32Array) {
    this.#words = typeof size === "number" ? new Int32Array(Math.ceil(size / bitsAWord)) : new Int32Array(size);
  }

  /** Those of a list for which something holds. */
  static where<Item>(list: readonly Item[], holds: (item: Item, number: number) => boolean): BitSet {
    const set = new BitSet(list.length);
    for (const [number, item] of list.entries()) if (holds(item, number)) set.add(number);
    return set;
  }

  copy(): BitSet {
    return new BitSet(this.#words);
  }

  add(number: number): void {
    this.#set(number >> 5, this.#word(number >> 5) | (1 << (number & 31)));
  }

  has(number: number): boolean {
    return (this.#word(number >> 5) & (1 << (number & 31))) !== 0;
  }

  addAll(other: BitSet): void {
    for (let at = 0; at < this.#words.length; at += 1) this.#set(at, this.#word(at) | other.#word(at));
  }

  /** Adds what both have. */
  addShared(one: BitSet, other: BitSet): void {
    for (let at = 0; at < this.#words.length; at += 1) this.#set(at, this.#word(at) | (one.#word(at) & other.#word(at)));
  }

  /** Leaves out what `other` has not. */
  keep(other: BitSet): void {
    for (let at = 0; at < this.#words.length; at += 1) this.#set(at, this.#word(at) & other.#word(at));
  }

  /** Leaves out what `other` has. */
  remove(other: BitSet): void {
    for (let at = 0; at < this.#words.length; at += 1) this.#set(at, this.#word(at) & ~other.#word(at));
  }

  meets(other: BitSet): boolean {
    for (let at = 0; at < this.#words.length; at += 1) if ((this.#word(at) & other.#word(at)) !== 0) return true;
    return false;
  }

  get isEmpty(): boolean {
    for (const word of this.#words) if (word !== 0) return false;
    return true;
  }

  /** In the order of the list. */
  numbers(): number[] {
    const numbers: number[] = [];
    for (let at = 0; at < this.#words.length; at += 1)
      for (let word = this.#word(at); word !== 0; word &= word - 1)
        numbers.push(at * bitsAWord + (31 - Math.clz32(word & -word)));
    return numbers;
  }

  /** Those of the list that are in the set, in its order. */
  of<Item>(list: readonly Item[]): readonly Item[] {
    return list.filter((_, number) => this.has(number));
  }

  /** Equal for equal sets of one list. */
  key(): string {
    let key = "";
    for (const word of this.#words) key += String.fromCharCode(word & 0xffff, word >>> 16);
    return key;
  }

  #word(at: number): number {
    return this.#words[at] ?? 0;
  }

  #set(at: number, word: number): void {
    this.#words[at] = word;
  }
}
