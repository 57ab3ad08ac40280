import type { TraceName } from "./trace.ts";

/** One way to run limits. */
export interface ReplaySetting {
  readonly title: string;
  /** Whether what an answer really used replaces what was held. */
  readonly settles: boolean;
  /** Whether what recent answers needed is held, instead of the most that one may write. */
  readonly learned: boolean;
  readonly burstMinutes: number;
  /**
   * ASCII of a prompt for each of its tokens. 2 is what the plain bound takes a token for, so that the prompt's tokens are
   * as good as known, as in the simulation; 4 is prose, whose hold is twice its tokens.
   */
  readonly bytesPerToken: 2 | 4;
  /** Refused by a simulation made before there was a gateway, in tenths of a per cent; one tenant, the same limit and pace. */
  readonly simulatedPermille: Readonly<Partial<Record<TraceName, number>>>;
}

const settled = { settles: true, learned: false, burstMinutes: 1, bytesPerToken: 2 } as const;

/** Those that were simulated, each of which refuses less than the one before. */
export const simulatedSettings: readonly ReplaySetting[] = [
  { ...settled, title: "never settled", settles: false, simulatedPermille: { code: 670, conv: 660 } },
  { ...settled, title: "settled", simulatedPermille: { code: 200, conv: 28 } },
  { ...settled, title: "settled, p95 held", learned: true, simulatedPermille: { code: 146, conv: 17 } },
  { ...settled, title: "settled, 5-minute burst", burstMinutes: 5, simulatedPermille: { code: 3, conv: 0 } },
];

/** What a gateway makes of prose, of which it sees bytes. */
export const proseSettings: readonly ReplaySetting[] = [
  { ...settled, title: "prose, worst case held", bytesPerToken: 4, simulatedPermille: {} },
  { ...settled, title: "prose, learned held", learned: true, bytesPerToken: 4, simulatedPermille: {} },
  {
    ...settled,
    title: "prose, learned, 5-minute burst",
    learned: true,
    burstMinutes: 5,
    bytesPerToken: 4,
    simulatedPermille: {},
  },
];
