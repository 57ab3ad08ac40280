/** SHA-256 of bytes, or of a text's UTF-8, which is cheaper than to encode it first; synchronous. */
export type Sha256Bytes = (data: Uint8Array | string) => Uint8Array;

/** A keyed digest (HMAC-SHA-256) over bytes that come in pieces. Web Crypto has none: it wants all of them at once. */
export interface KeyedDigest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends it. */
  hex(): string;
}

export interface Hashes {
  readonly sha256Bytes: Sha256Bytes;
  readonly keyedDigest: (key: Uint8Array) => KeyedDigest;
}
