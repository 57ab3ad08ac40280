import type { Country } from "../region/country.ts";

/**
 * What an order cuts off. All members that are given must hold; one without any would cut off everything, and nothing
 * takes such a one. The first five say who and what, and with them alone a request is refused as a whole; the last three
 * say where, and take only the deployments they hit out of a permit.
 */
export interface RevocationScope {
  /** By their ids in the catalogue. */
  readonly model?: string | undefined;
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  /** A key's public id; of a token, the id in its receipts. */
  readonly key?: string | undefined;
  /** Where the tenant is registered, led or owned. */
  readonly tenantCountry?: Country | undefined;
  /** Where it may be processed. */
  readonly country?: Country | undefined;
  readonly deployment?: string | undefined;
  readonly region?: string | undefined;
}

export const scopeMembers: readonly (keyof RevocationScope)[] = [
  "model",
  "tier",
  "tenant",
  "key",
  "tenantCountry",
  "country",
  "deployment",
  "region",
];

/** An order that cuts something off, now. All times in milliseconds since the Unix epoch. */
export interface RevocationOrder {
  readonly id: string;
  readonly scope: RevocationScope;
  readonly reason: string;
  /** `operator`, or `quarantiner` or `directory`. */
  readonly by: string;
  readonly issuedAtMs: number;
  /** `undefined`: until it is restored. */
  readonly expiresAtMs: number | undefined;
  /** Taken back: never to hold again, whoever still has an older copy. */
  readonly restored: { readonly atMs: number; readonly by: string } | undefined;
}

/** Whose orders quarantines are, in the list of revocations and in the audit: the gateway gives them by itself. */
export const quarantiner = "gateway";

export function isQuarantine({ by, scope }: RevocationOrder): boolean {
  return by === quarantiner && scope.deployment !== undefined;
}

/** Whose orders are those that tell replicas what the directory says already. */
export const directory = "directory";

/** For so long after its end an order is kept, so that a store that was away all the while learns that it ended. */
export const orderKeptMs: number = 30 * 86_400_000;

export function isInForce(order: RevocationOrder, nowMs: number): boolean {
  return order.restored === undefined && (order.expiresAtMs === undefined || nowMs < order.expiresAtMs);
}

/** Whether it ended so long ago that nobody need remember it. */
export function isForgettable(order: RevocationOrder, nowMs: number): boolean {
  const endedAtMs = order.restored?.atMs ?? order.expiresAtMs;
  return endedAtMs !== undefined && endedAtMs + orderKeptMs < nowMs;
}

/**
 * What two copies of one order come to. Nothing of an order changes but that it is restored, once: so copies from any
 * number of stores, in any sequence and however often, come to the same.
 */
export function joinOrders(left: RevocationOrder, right: RevocationOrder): RevocationOrder {
  if (right.restored === undefined) return left;
  return left.restored === undefined || right.restored.atMs < left.restored.atMs ? right : left;
}
