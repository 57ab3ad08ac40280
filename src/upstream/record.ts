import type { AddressCheck } from "./check-address.ts";

/** How an answer's body ended. `unsettled`: the gateway died before it could tell. */
export type End = "completed" | "upstream_failed" | "client_cancelled" | "deadline_passed" | "revoked" | "unsettled";

/** One try at one deployment. */
export interface Attempt {
  readonly deployment: string;
  /** The host that it went to, or was to go to; absent, as the SKU, in receipts of older releases. */
  readonly endpointHost?: string;
  readonly sku?: string;
  readonly countries: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The upstream's status; `undefined` where none came. */
  readonly status: number | undefined;
  /** `answered`, or why the attempt failed: `connect`, `first_byte`, `status_503`, `refused_in_stream`, … */
  readonly outcome: string;
  /** The id that the upstream gave it; absent where it gave none. */
  readonly upstreamRequestId?: string | undefined;
  /** What it was connected to; absent where it never was, and in receipts of older releases. */
  readonly connectedAddress?: string | undefined;
  readonly addressCheck?: AddressCheck | undefined;
  readonly addressCountry?: string | undefined;
  /** In which way the upstream was not what is declared. Where its outcome is `connection_refused`, nothing was sent to it. */
  readonly mismatch?: string | undefined;
}

/** The outcome of an attempt that was answered from elsewhere than declared. */
export const misplaced = "place_mismatch";
