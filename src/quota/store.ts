import type { Amounts, AppliedLimit } from "./limit.ts";

export interface ReservationRequest {
  /** The request's id: settling is idempotent by it. */
  readonly id: string;
  readonly tenantId: string;
  readonly limits: readonly AppliedLimit[];
  /** The upper bound of what this request can use. */
  readonly hold: Amounts;
  /** How long the reservation may stay neither settled nor renewed before the store takes it back. */
  readonly leaseMs: number;
  /**
   * What the journal must know if this process dies: an unsettled receipt as JSON. Durable before `reserve` resolves,
   * hence before the first byte goes upstream.
   */
  readonly intent: string;
  /**
   * A slice of the limits for many requests, which whoever holds it admits by itself. Its requests are held until it is
   * settled, as all else is. It is no request of its own, so its intent is `noIntent`.
   */
  readonly slice?: true;
}

/** Of slices: nothing is written where their lease runs out, because their requests have intents of their own elsewhere. */
export const noIntent = "";

/** One limit as it stands, right after the decision. */
export interface LimitState {
  readonly limit: AppliedLimit;
  /** The bucket's capacity or the window's ceiling, in the limit's unit. */
  readonly capacity: number;
  /** What is neither used nor held; never below zero unless the limit was lowered, overrun, or is in shadow mode. */
  readonly remaining: number;
  /** Milliseconds until the limit is whole again with nothing further admitted. */
  readonly resetMs: number;
}

/** Every store makes it by `outcome.ts`, so that all report alike. */
export type ReserveOutcome = Reported &
  (
    | { readonly admitted: true }
    | {
        readonly admitted: false;
        /** The limit that binds, never one in shadow mode; where several do, the one that takes longest to fit. */
        readonly binding: LimitState;
        readonly asked: number;
        /** Milliseconds until the request could fit; 0 where it never can. */
        readonly retryAfterMs: number;
        readonly neverFits: boolean;
      }
  );

interface Reported {
  /** All limits of the request, in the order asked. */
  readonly states: readonly LimitState[];
  /** Those in shadow mode that would have refused this request. */
  readonly shadowed: readonly LimitState[];
  /** Those of which at least `nearPercent` is used or held. */
  readonly near: readonly LimitState[];
}

export interface Settlement {
  readonly id: string;
  readonly tenantId: string;
  /** What was really used; replaces the hold. Zero in all for a request that never reached an upstream. */
  readonly charge: Amounts;
  /**
   * What of the hold is not over yet: from now on a reservation of its own, for the same limits and periods, with the same
   * intent. Where the lease ran out before, there is no rest; it is then charged as well.
   */
  readonly rest?: Rest;
}

export interface Rest {
  readonly id: string;
  readonly hold: Amounts;
  readonly leaseMs: number;
}

export interface ExpiredReservation {
  readonly id: string;
  readonly tenantId: string;
  readonly hold: Amounts;
  readonly intent: string;
}

/**
 * Where limits are counted. All limits of a request are admitted together or not at all, whatever runs beside it, and
 * held plus used is never above a limit that is enforced. Time is the store's own: of the periods that come with a
 * limit by the day or month it picks by its own clock.
 *
 * Holds do not leak out of a bucket while they are open: a hold that drained and was then handed back would count the
 * same capacity twice. A bucket is charged what was used when it is settled; calendar windows are charged for the
 * period in which the request was admitted.
 *
 * A limit in shadow mode is counted as any other and refuses nothing. Counters of scopes without end (`isPassing`) may be
 * dropped once nothing is held on them and their windows are back to zero.
 */
export interface QuotaStore {
  reserve(request: ReservationRequest): Promise<ReserveOutcome>;
  /** False where the reservation was settled before or is not known. */
  settle(settlement: Settlement): Promise<boolean>;
  /** Extends the lease of those that are still open. */
  renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void>;
  /**
   * Takes back reservations whose lease ran out, at most `count`: concurrency returns, the windows keep what was held,
   * and a late `settle` still replaces it (in a bucket, which has leaked since, only by more). Each is returned until
   * `recorded` acknowledges it.
   */
  expire(count: number): Promise<readonly ExpiredReservation[]>;
  /** Acknowledges expired reservations whose unsettled receipt is in the journal. */
  recorded(tenantId: string, ids: readonly string[]): Promise<void>;
  /** Limits as they stand now, without admitting anything. */
  inspect(tenantId: string, limits: readonly AppliedLimit[]): Promise<readonly LimitState[]>;
}

/** Thrown by an adapter that cannot reach its store; the gateway refuses. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}
