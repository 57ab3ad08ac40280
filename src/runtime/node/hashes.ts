import { createHmac, hash } from "node:crypto";
import type { Hashes, KeyedDigest } from "../../hashes.ts";

export const hashes: Hashes = {
  sha256Bytes: (data) => hash("sha256", data, "buffer"),
  keyedDigest(key): KeyedDigest {
    const hmac = createHmac("sha256", key);
    return {
      update: (bytes) => void hmac.update(bytes),
      hex: () => hmac.digest("hex"),
    };
  },
};
