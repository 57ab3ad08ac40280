/** Digest keys as a tenant is given them and keeps them: a JWK set (RFC 7517) of symmetric keys. */
import { z } from "zod";
import { base64Url, readBase64Url } from "../base64.ts";
import type { OpenDigestKey } from "./digest-key.ts";

export interface DigestKeySet {
  readonly keys: readonly {
    readonly kty: "oct";
    readonly alg: "HS256";
    readonly kid: string;
    /** The key, base64url. */
    readonly k: string;
    /** RFC 3339: when it digested. */
    readonly validFrom: string;
    readonly validUntil?: string;
  }[];
}

export function digestKeySet(keys: readonly OpenDigestKey[]): DigestKeySet {
  return {
    keys: keys.map(({ id, key, createdAt, retiredAt }) => ({
      kty: "oct",
      alg: "HS256",
      kid: id,
      k: base64Url(key),
      validFrom: createdAt,
      ...(retiredAt === undefined ? {} : { validUntil: retiredAt }),
    })),
  };
}

const setSchema = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal("oct"),
        alg: z.literal("HS256"),
        kid: z.string(),
        k: z
          .string()
          .transform((text) => readBase64Url(text))
          .refine((bytes): bytes is Uint8Array => bytes?.length === 32),
      }),
    )
    .min(1),
});

/** The keys of a set by their ids; `undefined` where the text is none. */
export function readDigestKeySet(text: string): ReadonlyMap<string, Uint8Array> | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = setSchema.safeParse(document);
  return parsed.success ? new Map(parsed.data.keys.map(({ kid, k }) => [kid, k])) : undefined;
}
