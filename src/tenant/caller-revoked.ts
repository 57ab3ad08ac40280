import { isTokenId, type Caller } from "./authenticate.ts";
import type { DirectoryEntry } from "./tenant.ts";

/**
 * What became of a caller who was let in: `key` where its key was revoked or is gone, `tenant` where the company is no
 * longer served, `undefined` where all stands. A key that merely expired lets what it began go on.
 */
export function callerRevoked(caller: Caller, entry: DirectoryEntry | undefined): "key" | "tenant" | undefined {
  // Directories answer with the very same object as long as nothing changed.
  if (entry === caller.entry) return undefined;
  if (entry === undefined || entry.tenant.verification.state !== "verified") return "tenant";
  if (isTokenId(caller.keyId)) return entry.tenant.oidc?.issuer === caller.tenant.oidc?.issuer ? undefined : "key";
  const key = entry.keys.find(({ id }) => id === caller.keyId);
  return key === undefined || key.revokedAt !== undefined ? "key" : undefined;
}
