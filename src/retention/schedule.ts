/** How often records are deleted by schedule: a day, less what timers may be late by, or the turn would move on by hours. */
export const deleteEveryMs: number = 24 * 3_600_000 - 60_000;
/** How often the turn is asked for. */
export const askEveryMs: number = 15 * 60_000;
