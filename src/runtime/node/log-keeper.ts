import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { TransparencyLog } from "../../transparency/transparency-log.ts";

const everyMs = 1_000;

/** Takes receipts into the log and signs it, every second; what is returned stops that, once all of them are in. */
export function keepLog(receiptLog: Pick<TransparencyLog, "advance">, clock: Clock, log: Log): () => Promise<void> {
  let cancel: Cancel | undefined;
  let isStopped = false;
  const advance = async (): Promise<void> => {
    try {
      await receiptLog.advance();
    } catch (error) {
      log.error("the log of receipts could not be brought up to date", { error: String(error) });
    }
  };
  const tick = (): void => {
    void advance().finally(() => {
      if (!isStopped) cancel = clock.after(everyMs, tick);
    });
  };
  tick();
  return async () => {
    isStopped = true;
    cancel?.();
    await advance();
  };
}
