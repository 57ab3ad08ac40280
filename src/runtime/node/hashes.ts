import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import type { Hashes, KeyedDigest } from "../../hashes.ts";

export const hashes: Hashes = {
  sha256Bytes: (data) => hash("sha256", data, "buffer"),
  keyedDigest(key): KeyedDigest {
    const hmac = createHmac("sha256", keyObject(key));
    return {
      update: (bytes) => void hmac.update(bytes),
      hex: () => hmac.digest("hex"),
    };
  },
};

/** Keys as the library has them: to make one takes half as long as to digest a kilobyte with it. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObject(key: Uint8Array): KeyObject {
  let known = keyObjects.get(key);
  if (known === undefined) keyObjects.set(key, (known = createSecretKey(key)));
  return known;
}
