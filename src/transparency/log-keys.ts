import { z } from "zod";
import { base64Url, readBase64Url } from "../base64.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { Sha256Bytes } from "../hashes.ts";
import { parseUnambiguous } from "./unambiguous-json.ts";

/** A public key of the log, with the time for which what it signed counts. */
export interface LogKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Milliseconds since the epoch; `undefined`: without a beginning, without an end. */
  readonly validFromMs: number | undefined;
  readonly validUntilMs: number | undefined;
}

/** A key with which checkpoints are signed. */
export interface SigningKey extends LogKey {
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** All that a log has of keys: those it signs with, and those that old checkpoints still need. */
export interface LogKeys {
  readonly keys: readonly LogKey[];
  /** The newest that is valid; `undefined` where none is. */
  signerAt(nowMs: number): SigningKey | undefined;
}

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const bytes32 = z
  .string()
  .transform((text) => readBase64Url(text))
  .refine((bytes): bytes is Uint8Array => bytes?.length === 32, "must be 32 bytes in base64url");

const members = {
  kty: z.literal("OKP", "must be OKP"),
  crv: z.literal("Ed25519", "must be Ed25519"),
  x: bytes32,
  d: bytes32.optional(),
  validFrom: time.optional(),
  validUntil: time.optional(),
};

const keySchema = z.object({ ...members, kid: z.string().optional() });

/** As `publishedKeys` writes it. */
const publicKeySchema = z.strictObject({
  ...members,
  kid: z.string().optional(),
  use: z.literal("sig").optional(),
  alg: z.literal("EdDSA").optional(),
});

const keySetSchema: z.ZodType<readonly StoredKey[]> = z.union([
  z.object({ keys: z.array(keySchema).min(1) }).transform(({ keys }) => keys),
  keySchema.transform((key) => [key]),
]);

const publicKeySetSchema: z.ZodType<readonly StoredKey[]> = z.union([
  z.strictObject({ keys: z.array(publicKeySchema).min(1) }).transform(({ keys }) => keys),
  publicKeySchema.transform((key) => [key]),
]);

export type KeysRead<Keys> = { readonly ok: true; readonly keys: Keys } | { readonly ok: false; readonly problem: string };

/**
 * Public keys out of a JWK set (RFC 7517), or out of one JWK. Private parts are not looked at. Whatever else a key says must
 * be known and true of it: what is trusted hangs on this file alone, and a member that nobody knows may take something back.
 */
export function readPublicKeys(text: string, sha256: Sha256Bytes): KeysRead<readonly LogKey[]> {
  const read = readKeySet(text, publicKeySetSchema);
  if (!read.ok) return read;
  const keys = read.keys.map((key) => publicPart(key, sha256));
  const isMisnamed = read.keys.some(({ kid }, index) => kid !== undefined && kid !== keys[index]?.kid);
  return isMisnamed ? { ok: false, problem: "a `kid` is not the thumbprint (RFC 7638) of its key" } : { ok: true, keys };
}

/** The log's own keys: one with its private part `d` at the least, and those that it replaced without theirs. */
export async function readLogKeys(text: string, sha256: Sha256Bytes): Promise<KeysRead<LogKeys>> {
  const read = readKeySet(text, keySetSchema);
  if (!read.ok) return read;
  const signers: SigningKey[] = [];
  for (const key of read.keys) {
    if (key.d === undefined) continue;
    const { x, d } = key;
    const jwk = { kty: "OKP", crv: "Ed25519", x: base64Url(x), d: base64Url(d) };
    try {
      const privateKey = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
      const sign = async (bytes: Uint8Array): Promise<Uint8Array> =>
        new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, new Uint8Array(bytes)));
      signers.push({ ...publicPart(key, sha256), sign });
    } catch {
      return { ok: false, problem: "`d` is not the private part of `x`" };
    }
  }
  if (signers.length === 0) return { ok: false, problem: "no key has its private part `d`" };
  return {
    ok: true,
    keys: {
      keys: read.keys.map((key) => publicPart(key, sha256)),
      signerAt: (nowMs) =>
        signers.filter((key) => isValidAt(key, nowMs)).sort((one, other) => (other.validFromMs ?? 0) - (one.validFromMs ?? 0))[0],
    },
  };
}

export function isValidAt({ validFromMs, validUntilMs }: LogKey, atMs: number): boolean {
  return atMs >= (validFromMs ?? Number.NEGATIVE_INFINITY) && atMs < (validUntilMs ?? Number.POSITIVE_INFINITY);
}

/** As it is published. */
export interface PublishedKeys {
  readonly keys: readonly Readonly<Record<string, string>>[];
}

export function publishedKeys({ keys }: LogKeys): PublishedKeys {
  return {
    keys: keys.map(({ kid, publicKey, validFromMs, validUntilMs }) => ({
      kty: "OKP",
      crv: "Ed25519",
      use: "sig",
      alg: "EdDSA",
      kid,
      x: base64Url(publicKey),
      ...(validFromMs === undefined ? {} : { validFrom: new Date(validFromMs).toISOString() }),
      ...(validUntilMs === undefined ? {} : { validUntil: new Date(validUntilMs).toISOString() }),
    })),
  };
}

type StoredKey = z.output<typeof keySchema>;

function readKeySet(text: string, schema: z.ZodType<readonly StoredKey[]>): KeysRead<readonly StoredKey[]> {
  const document = parseUnambiguous(text);
  if (document === undefined) return { ok: false, problem: "it is not JSON, or names a member twice" };
  const parsed = schema.safeParse(document);
  if (parsed.success) return { ok: true, keys: parsed.data };
  return { ok: false, problem: "it is neither a JWK of an Ed25519 key nor a set of such" };
}

function publicPart({ x, validFrom, validUntil }: StoredKey, sha256: Sha256Bytes): LogKey {
  const thumbprint = sha256(new TextEncoder().encode(canonicalJson({ kty: "OKP", crv: "Ed25519", x: base64Url(x) })));
  return { kid: base64Url(thumbprint), publicKey: x, validFromMs: validFrom, validUntilMs: validUntil };
}
