import { calculateJwkThumbprint } from "jose";
import { z } from "zod";

/** The public keys whose signature makes a bundle count, by their thumbprints (RFC 7638). */
export type PolicyKeys = ReadonlyMap<string, CryptoKey>;

export type PolicyKeysRead = { readonly ok: true; readonly keys: PolicyKeys } | { readonly ok: false; readonly problem: string };

export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
}

export interface PrivateJwk extends PublicJwk {
  readonly d: string;
}

/** 32 bytes, base64url. */
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const publicJwk: z.ZodType<PublicJwk> = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: coordinate });
const privateJwk: z.ZodType<PrivateJwk> = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: coordinate,
  d: coordinate,
});

/** Reads a key set (RFC 7517), or one key by itself. A key's own `kid` is not looked at: its thumbprint cannot be wrong. */
export async function readPolicyKeys(text: string): Promise<PolicyKeysRead> {
  const document = jsonOf(text);
  const list = isObject(document) && Array.isArray(document["keys"]) ? (document["keys"] as unknown[]) : [document];
  if (list.length === 0) return { ok: false, problem: "the key set is empty" };
  const keys = new Map<string, CryptoKey>();
  for (const entry of list) {
    if (isObject(entry) && "d" in entry)
      return { ok: false, problem: "one of the keys is a private key: give the public ones, without `d`" };
    const parsed = publicJwk.safeParse(entry);
    const key = parsed.success ? await importPublic(parsed.data) : undefined;
    if (!parsed.success || key === undefined) {
      return { ok: false, problem: "expected Ed25519 public keys as a JSON Web Key Set, as strait policy keygen prints" };
    }
    keys.set(await keyIdOf(parsed.data), key);
  }
  return { ok: true, keys };
}

/** A private key's document; `undefined` where it is none. */
export function readPrivateJwk(text: string): PrivateJwk | undefined {
  const parsed = privateJwk.safeParse(jsonOf(text));
  return parsed.success ? parsed.data : undefined;
}

export async function makePrivateJwk(): Promise<PrivateJwk> {
  // Every runtime types this call in its own way; all of them give a pair for Ed25519.
  const pair: unknown = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
  const { privateKey } = pair as { readonly privateKey: CryptoKey };
  return privateJwk.parse(await crypto.subtle.exportKey("jwk", privateKey));
}

export function publicPart({ kty, crv, x }: PublicJwk): PublicJwk {
  return { kty, crv, x };
}

export function keyIdOf(jwk: PublicJwk): Promise<string> {
  return calculateJwkThumbprint({ ...publicPart(jwk) }, "sha256");
}

async function importPublic(jwk: PublicJwk): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey("jwk", { ...publicPart(jwk) }, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return undefined;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
