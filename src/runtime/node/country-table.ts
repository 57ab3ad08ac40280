import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Country } from "../../region/country.ts";
import { parseAddress, type Address } from "../../region/network.ts";
import type { CountryOfAddress } from "../../upstream/check-address.ts";

const dayMs = 86_400_000;

/** The folder of the table that Strait comes with. */
export function bundledTable(): string {
  return dirname(fileURLToPath(import.meta.resolve("@ip-location-db/geo-whois-asn-country/package.json")));
}

/** In place of a country, where ranges of several overlap. The table has a few hundred of these, which its maker calls bugs. */
const conflicting = "conflicting";

/** Ranges of one family, in order: `words` 32-bit words for each end, so that a search compares numbers. */
interface Ranges {
  readonly words: number;
  readonly count: number;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly countries: Uint8Array;
}

/**
 * Which country an address is registered in, from the CSV files of `@ip-location-db/geo-whois-asn-country` (CC0; made of
 * geofeeds, whois and routing). Half a million ranges in about ten megabytes. It says where the holder of an address says
 * it is: good enough to refuse, never enough to attest.
 */
export class CountryTable {
  /** When it was made, in milliseconds since the epoch. */
  readonly madeAtMs: number;
  readonly #codes: readonly Country[];
  readonly #short: Ranges;
  readonly #long: Ranges;

  private constructor(madeAtMs: number, codes: readonly Country[], short: Ranges, long: Ranges) {
    this.madeAtMs = madeAtMs;
    this.#codes = codes;
    this.#short = short;
    this.#long = long;
  }

  /**
   * Reads the files of a folder: the two CSVs, and `package.json`, whose version ends in the day.
   * @throws {Error} where they are missing, malformed or out of order: a search in them would find something else.
   */
  static read(folder: string): CountryTable {
    const codes: Country[] = [];
    const text = (name: string): string => readFileSync(join(folder, `geo-whois-asn-country-${name}.csv`), "latin1");
    const short = readRanges(text("ipv4-num"), 1, shortEnd, codes);
    return new CountryTable(madeAt(folder), codes, short, readRanges(text("ipv6"), 4, longEnd, codes));
  }

  /** `undefined` where it is in no range, `conflicting` where ranges of several countries hold it. */
  countryOf(address: Address): Country | undefined {
    const ranges = address.length === 4 ? this.#short : this.#long;
    const wanted = wordsOf(address);
    let low = 0;
    let high = ranges.count;
    // The first range that begins behind the address; the one before it is the only one that may hold it.
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(ranges.starts, middle * ranges.words, wanted) <= 0) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index < 0 || compare(ranges.ends, index * ranges.words, wanted) < 0) return undefined;
    return this.#codes[ranges.countries[index] ?? -1];
  }
}

export interface CountryTableSettings {
  readonly folder: string;
  readonly maxAgeDays: number;
  readonly nowMs: () => number;
}

/** The table behind its port: of no use once it is too old, or where it cannot be read. */
export class AddressCountries {
  readonly #settings: CountryTableSettings;
  #table: CountryTable | Error | undefined;

  constructor(settings: CountryTableSettings) {
    this.#settings = settings;
  }

  /** Reads it now, which takes a second or two, instead of when the first connection asks. Tells why it is of no use. */
  prepare(): string | undefined {
    const table = (this.#table ??= tableOrError(this.#settings.folder));
    return table instanceof Error ? table.message : this.#tooOld(table);
  }

  readonly countryOf: CountryOfAddress = (address) => {
    const unknown = this.prepare();
    if (unknown !== undefined || !(this.#table instanceof CountryTable)) return { unknown: unknown ?? "there is no table" };
    const country = this.#table.countryOf(address);
    if (country === conflicting) return { unknown: "the table of addresses has it in more than one" };
    return country === undefined ? { unknown: "it is not in the table of addresses" } : { country };
  };

  /** A table from the future is a clock that is wrong: its age is then not known. */
  #tooOld({ madeAtMs }: CountryTable): string | undefined {
    const ageDays = Math.floor((this.#settings.nowMs() - madeAtMs) / dayMs);
    if (ageDays >= -1 && ageDays <= this.#settings.maxAgeDays) return undefined;
    return `the table of addresses is ${ageDays} days old, and ${this.#settings.maxAgeDays} are allowed`;
  }
}

function tableOrError(folder: string): CountryTable | Error {
  try {
    return CountryTable.read(folder);
  } catch (error) {
    return new Error(`the table of addresses cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The package's version ends in year, month, day and perhaps more: `2.3.2026061719`. */
function madeAt(folder: string): number {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly version?: unknown };
  const [, year, month, day] = /\.(20\d\d)(\d\d)(\d\d)\d*$/.exec(String(version)) ?? [];
  const madeAtMs = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(madeAtMs)) throw new Error(`the version ${JSON.stringify(version)} in package.json ends in no day`);
  return madeAtMs;
}

type ReadEnd = (text: string) => Uint32Array | undefined;

/** As a number: a third of a million are read at start, and text takes four times as long. */
const shortEnd: ReadEnd = (text) => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  return value <= 0xffff_ffff ? Uint32Array.of(value) : undefined;
};

const longEnd: ReadEnd = (text) => {
  const address = parseAddress(text);
  return address?.length === 16 ? wordsOf(address) : undefined;
};

function readRanges(text: string, words: number, readEnd: ReadEnd, codes: Country[]): Ranges {
  const indexes = new Map(codes.map((code, index) => [code, index]));
  const indexOf = (code: string): number => {
    let index = indexes.get(code);
    if (index === undefined) indexes.set(code, (index = codes.push(code) - 1));
    if (index > 255) throw new Error("it names more than 255 countries");
    return index;
  };
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  const starts = new Uint32Array(lines * words);
  const ends = new Uint32Array(lines * words);
  const countries = new Uint8Array(lines);
  let count = 0;
  let from = 0;
  for (let line = 1; line <= lines; line++) {
    const to = text.indexOf("\n", from);
    const [start = "", end = "", country = ""] = text.slice(from, to).trimEnd().split(",");
    from = to + 1;
    const [first, last] = [readEnd(start), readEnd(end)];
    if (first === undefined || last === undefined || !/^[A-Z]{2}$/.test(country)) throw new Error(`line ${line} is no range`);
    const before = (count - 1) * words;
    if (count > 0 && compare(starts, before, first) > 0) throw new Error(`line ${line} is out of order`);
    if (count > 0 && compare(ends, before, first) >= 0) {
      // One range out of all that overlap, of which nothing is known.
      if (compare(ends, before, last) < 0) ends.set(last, before);
      countries[count - 1] = indexOf(conflicting);
      continue;
    }
    starts.set(first, count * words);
    ends.set(last, count * words);
    countries[count++] = indexOf(country);
  }
  return { words, count, starts, ends, countries };
}

function wordsOf(address: Address): Uint32Array {
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  return Uint32Array.from({ length: address.length / 4 }, (_, index) => view.getUint32(index * 4));
}

function compare(list: Uint32Array, at: number, words: Uint32Array): number {
  for (let index = 0; index < words.length; index++) {
    const difference = (list[at + index] ?? 0) - (words[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
