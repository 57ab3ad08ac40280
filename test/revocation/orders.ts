import type { RevocationOrder, RevocationScope } from "../../src/revocation/order.ts";
import type { RevocationPath } from "../../src/revocation/path.ts";

export function order(id: string, scope: RevocationScope, change: Partial<RevocationOrder> = {}): RevocationOrder {
  return {
    id: `revocation_${id}`,
    scope,
    reason: "test",
    by: "operator",
    issuedAtMs: Date.UTC(2026, 10, 23),
    expiresAtMs: undefined,
    restored: undefined,
    ...change,
  };
}

/** As stores give it back: without the members that are not set. */
export function stored(document: RevocationOrder): unknown {
  return JSON.parse(JSON.stringify(document));
}

export type OpenPaths = () => Promise<{
  /** Several openings of one store, as that many replicas have it. */
  readonly paths: readonly RevocationPath[];
  close(): Promise<void>;
}>;
