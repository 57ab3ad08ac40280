import { base64Url } from "../base64.ts";
import type { Entropy, Sha256 } from "../clock.ts";

/**
 * A key reads `sk-strait-<tenant id>-<key id>-<secret>`. The public part names the tenant, so that a request finds its
 * directory entry in one look-up, and lets a leaked key be recognised; the secret is 256 random bits.
 */
export const keyPrefix = "sk-strait-";

/** What may stand between `sk-strait-` and the key's id. */
export const tenantIdPattern: RegExp = /^[a-z0-9_]{3,40}$/;

// Neither a tenant's nor a key's id holds a dash, so the dashes of a base64url secret cannot be mistaken for a border.
const keyPattern = /^sk-strait-([a-z0-9_]{3,40})-([a-z0-9]{8})-[A-Za-z0-9_-]{43}$/;
const longestKey = keyPrefix.length + 40 + 1 + 8 + 1 + 43;

const secretBytes = 32;
const keyIdLength = 8;
// 32 letters, so that five bits of a random byte choose one evenly; none that is read as another.
const keyIdLetters = "abcdefghijkmnpqrstuvwxyz23456789";

export interface MintedKey {
  /** The whole key: shown once, stored nowhere. */
  readonly key: string;
  /** The public id, unique within a tenant only by chance (40 bits): the caller looks. */
  readonly id: string;
  /** SHA-256 of the whole key, lower-case hex. */
  readonly digest: string;
}

export interface ParsedKey {
  readonly tenantId: string;
  readonly keyId: string;
}

/** Makes a new key; throws where `tenantId` is not one, for such a key could never be used. */
export function mintKey(tenantId: string, entropy: Entropy, sha256: Sha256): MintedKey {
  if (!tenantIdPattern.test(tenantId)) throw new TypeError("not a tenant id");
  let id = "";
  for (const byte of entropy.bytes(keyIdLength)) id += keyIdLetters[byte & 31];
  const key = `${keyPrefix}${tenantId}-${id}-${base64Url(entropy.bytes(secretBytes))}`;
  return { key, id, digest: hex(sha256(key)) };
}

/** The public parts; `undefined` where the text is no key. */
export function parseKey(text: string): ParsedKey | undefined {
  if (text.length > longestKey) return undefined;
  const match = keyPattern.exec(text);
  return match === null ? undefined : { tenantId: match[1] as string, keyId: match[2] as string };
}

const hexLetters = new TextEncoder().encode("0123456789abcdef");

/**
 * Whether `digest` is what `storedHex` says. Looks at every byte whatever the first ones were: otherwise the time taken
 * would tell how much of a guess was right.
 */
export function digestMatches(digest: Uint8Array, storedHex: string): boolean {
  let difference = storedHex.length ^ (digest.length * 2);
  for (let index = 0; index < digest.length; index++) {
    const byte = digest[index] as number;
    // Beyond the end of `storedHex` this reads NaN, which counts as 0 and differs from every letter.
    difference |= (hexLetters[byte >> 4] as number) ^ storedHex.charCodeAt(2 * index);
    difference |= (hexLetters[byte & 15] as number) ^ storedHex.charCodeAt(2 * index + 1);
  }
  return difference === 0 && digest.length > 0;
}

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
