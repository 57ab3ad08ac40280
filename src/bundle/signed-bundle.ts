import { z } from "zod";
import { bundleFormat, type EffectiveDates, type PolicyBundle } from "../region/policy-bundle.ts";

export interface BundleSignature {
  /** The signing key's thumbprint (RFC 7638). */
  readonly keyId: string;
  /** Ed25519 over the canonical form of the bundle, base64url. */
  readonly signature: string;
}

/** A bundle as a file holds it. Without signatures it is one that was built and not signed yet. */
export interface SignedBundle {
  readonly bundle: PolicyBundle;
  /** Of the bundle alone: signing does not change it. */
  readonly digest: string;
  readonly signatures: readonly BundleSignature[];
}

/** In UTC and to the millisecond, as bundles are built: an instant must not have two forms and so two digests. */
const instant = z.string().refine(isInstant, "expected an instant such as 2026-12-01T00:00:00.000Z");

export const signedBundleSchema: z.ZodType<SignedBundle> = z.strictObject({
  bundle: z.strictObject({
    format: z.literal(bundleFormat),
    version: z.string().min(1),
    effectiveFrom: instant.optional(),
    effectiveTo: instant.optional(),
    files: z.array(z.strictObject({ name: z.string().regex(/^[A-Za-z0-9._-]+\.toml$/), text: z.string() })).min(1),
  }),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  signatures: z.array(z.strictObject({ keyId: z.string(), signature: z.string() })),
});

export type BundleParsed = { readonly ok: true; readonly signed: SignedBundle } | { readonly ok: false; readonly reason: string };

/** The document of a file. Says nothing of whether its digest and signatures hold: `verifyBundle` does. */
export function parseBundle(text: string): BundleParsed {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: `it is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const parsed = signedBundleSchema.safeParse(document);
  if (parsed.success) return { ok: true, signed: parsed.data };
  const [issue] = parsed.error.issues;
  return { ok: false, reason: `it is not a policy bundle: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}` };
}

export function datesOf({ effectiveFrom, effectiveTo }: PolicyBundle): EffectiveDates {
  return {
    effectiveFromMs: effectiveFrom === undefined ? undefined : Date.parse(effectiveFrom),
    effectiveToMs: effectiveTo === undefined ? undefined : Date.parse(effectiveTo),
  };
}

function isInstant(text: string): boolean {
  const atMs = Date.parse(text);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString() === text;
}
