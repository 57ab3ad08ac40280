import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { RetentionStore } from "../../retention/retention-store.ts";
import { askEveryMs, deleteEveryMs } from "../../retention/schedule.ts";

/**
 * Deletes what is due, once a day, in the process that takes the turn. What is returned stops that, and resolves once a run
 * that is under way has ended. Where a process dies at it, the rest is deleted the next day.
 */
export function scheduleRetention(
  store: Pick<RetentionStore, "takeTurn">,
  deleteDue: () => Promise<void>,
  clock: Pick<Clock, "after">,
  log: Log,
): () => Promise<void> {
  let isStopped = false;
  let running = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      if (await store.takeTurn(deleteEveryMs)) await deleteDue();
    } catch (error) {
      log.error("records that are due could not be deleted", { error: String(error) });
    }
    if (!isStopped) cancel = clock.after(askEveryMs, tick);
  };
  const tick = (): void => void (running = run());
  // Not at once: whoever has just started a gateway may yet put a tenant under a hold.
  let cancel = clock.after(askEveryMs, tick);
  return () => {
    isStopped = true;
    cancel();
    return running;
  };
}
