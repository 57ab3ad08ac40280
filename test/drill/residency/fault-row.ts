import type { HostilePlace } from "./hostile-place.ts";

/** What became of the requests that met one fault. */
export interface FaultRow {
  readonly sent: number;
  readonly answered: number;
  /** At the declared upstream. */
  readonly reached: number;
}

/** What reached addresses outside of the permit while a fault lasted. */
export interface Outside {
  readonly requests: number;
  readonly promptBytes: number;
}

export type Watched<Found extends FaultRow> = Found & { readonly outside: Outside };

/** Starts to look at the places outside; the function returned says what reached them since. */
export function lookOutside(places: readonly HostilePlace[]): () => Outside {
  const count = (): Outside => ({
    requests: places.reduce((sum, place) => sum + place.requests.length, 0),
    promptBytes: places.reduce((sum, place) => sum + place.promptBytes, 0),
  });
  const before = count();
  return () => {
    const now = count();
    return { requests: now.requests - before.requests, promptBytes: now.promptBytes - before.promptBytes };
  };
}
