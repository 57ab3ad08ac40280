/**
 * Keeps secrets that a store must hold and nobody who reads the store may learn: AES-256-GCM under keys that are no part
 * of any store. A sealed text is bound to what it is for, so that it opens nowhere else.
 */
import { base64Url, readBase64Url } from "./base64.ts";
import type { Entropy } from "./clock.ts";

export interface SecretBox {
  /** The secret as a store may keep it. `purpose` says what and whose it is, and must be said again to open it. */
  seal(secret: Uint8Array, purpose: string): Promise<string>;
  /** @throws {SecretUnusable} where no key opens it, or it is not what was sealed for this purpose. */
  open(sealed: string, purpose: string): Promise<Uint8Array>;
}

/** A stored secret that cannot be opened. Says for what, and nothing of the secret. */
export class SecretUnusable extends Error {
  override readonly name = "SecretUnusable";

  constructor(purpose: string) {
    super(`The ${purpose} cannot be opened: STRAIT_SECRETS_KEY must hold the key that it was sealed with.`);
  }
}

export type SecretKeysRead =
  | { readonly ok: true; readonly keys: readonly Uint8Array[] }
  | { readonly ok: false; readonly problem: string };

const keyLength = 32;
const nonceLength = 12;
/** Where there was no key to seal with. */
const unsealed = "plain";
const sealedWith = "aes256gcm";

/** What `STRAIT_SECRETS_KEY` says: keys in base64url, the newest first, with commas between them; none where it is empty. */
export function readSecretKeys(text: string): SecretKeysRead {
  const keys = text === "" ? [] : text.split(",").map((one) => readBase64Url(one.trim()));
  const isUsable = (key: Uint8Array | undefined): key is Uint8Array => key?.length === keyLength;
  if (keys.every(isUsable)) return { ok: true, keys };
  return { ok: false, problem: `must be ${keyLength} random bytes in base64url, or several such with commas between them` };
}

interface BoxKey {
  /** Of the key's digest, so that the right one is tried. */
  readonly id: string;
  readonly key: CryptoKey;
}

/** The first key seals, all of them open. Without any, secrets are kept as they are, as safe as their store. */
export function createSecretBox(keys: readonly Uint8Array[], entropy: Entropy): SecretBox {
  // What is kept is the keys and not their promise: in workerd no request may wait for what another began.
  let imported: readonly BoxKey[] | undefined;
  const boxKeys = async (): Promise<readonly BoxKey[]> => (imported ??= await Promise.all(keys.map(importKey)));
  return {
    async seal(secret, purpose) {
      const [newest] = await boxKeys();
      if (newest === undefined) return `${unsealed}.${base64Url(secret)}`;
      const nonce = new Uint8Array(entropy.bytes(nonceLength));
      const text = await crypto.subtle.encrypt(gcm(nonce, purpose), newest.key, new Uint8Array(secret));
      return [sealedWith, newest.id, base64Url(nonce), base64Url(new Uint8Array(text))].join(".");
    },
    async open(sealed, purpose) {
      const [form, ...parts] = sealed.split(".");
      if (form === unsealed && parts.length === 1) return bytesOf(parts[0], purpose);
      const [id, nonce, text] = parts;
      const found = (await boxKeys()).find((one) => one.id === id);
      if (form !== sealedWith || parts.length !== 3 || found === undefined) throw new SecretUnusable(purpose);
      try {
        const data = bytesOf(text, purpose);
        return new Uint8Array(await crypto.subtle.decrypt(gcm(bytesOf(nonce, purpose), purpose), found.key, data));
      } catch {
        throw new SecretUnusable(purpose);
      }
    },
  };
}

async function importKey(bytes: Uint8Array): Promise<BoxKey> {
  const raw = new Uint8Array(bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  return { id: base64Url(digest.subarray(0, 6)), key };
}

interface Gcm {
  readonly name: "AES-GCM";
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly additionalData: Uint8Array<ArrayBuffer>;
}

function gcm(iv: Uint8Array<ArrayBuffer>, purpose: string): Gcm {
  return { name: "AES-GCM", iv, additionalData: new Uint8Array(new TextEncoder().encode(purpose)) };
}

function bytesOf(text: string | undefined, purpose: string): Uint8Array<ArrayBuffer> {
  const bytes = readBase64Url(text ?? "!");
  if (bytes === undefined) throw new SecretUnusable(purpose);
  return new Uint8Array(bytes);
}
