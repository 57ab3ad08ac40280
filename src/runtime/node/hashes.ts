import { createHmac, createSecretKey, hash, type Hmac, type KeyObject } from "node:crypto";
import type { Hashes, KeyedDigest } from "../../hashes.ts";

export const hashes: Hashes = {
  sha256Bytes: (data) => hash("sha256", data, "buffer"),
  keyedDigest: (key) => new GatheringDigest(createHmac("sha256", keyObject(key))),
};

/** Keys as the library has them: to make one takes half as long as to digest a kilobyte with it. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObject(key: Uint8Array): KeyObject {
  let known = keyObjects.get(key);
  if (known === undefined) keyObjects.set(key, (known = createSecretKey(key)));
  return known;
}

const gatheredBytes = 1_024;

/** Gathers the small pieces of a stream: to hand one over takes longer than to digest it. */
class GatheringDigest implements KeyedDigest {
  readonly #hmac: Hmac;
  /** Made by the second piece: most answers that are whole have one alone. */
  #gathered: Buffer | undefined;
  #length = 0;
  #isBegun = false;

  constructor(hmac: Hmac) {
    this.#hmac = hmac;
  }

  update(bytes: Uint8Array): void {
    if (!this.#isBegun || bytes.length > gatheredBytes) {
      this.#isBegun = true;
      this.#handOver();
      this.#hmac.update(bytes);
      return;
    }
    if (this.#length + bytes.length > gatheredBytes) this.#handOver();
    this.#gathered ??= Buffer.allocUnsafeSlow(gatheredBytes);
    this.#gathered.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  hex(): string {
    this.#handOver();
    return this.#hmac.digest("hex");
  }

  #handOver(): void {
    if (this.#length === 0 || this.#gathered === undefined) return;
    this.#hmac.update(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }
}
