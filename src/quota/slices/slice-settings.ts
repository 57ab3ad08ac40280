/** How slices of one kind of limits are sized and how long they last. */
export interface SliceSettings {
  /** What was asked in so long is what a slice is for, and so long it admits before what is left goes back. */
  readonly windowMs: number;
  /** How long the store keeps a slice for a gateway that is not heard of. */
  readonly leaseMs: number;
  /** With fewer requests a window every one is decided by the store. */
  readonly leastRequests: number;
}

/** Short, so that little lies unused, and that a gateway that dies takes little along. */
export const sharedSlices: SliceSettings = { windowMs: 1_000, leaseMs: 10_000, leastRequests: 8 };

/** Where slices are to carry a tenant over an outage there has to be one when it comes, and it has to last. */
export const outageSlices: SliceSettings = { windowMs: 10_000, leaseMs: 60_000, leastRequests: 1 };

/** How often slices are looked after. */
export const tendEveryMs = 250;

/** How long the store is left alone after it refused a slice, or could not be reached. */
export const holdOffMs = 500;
