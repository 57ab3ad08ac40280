import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep, type Clock } from "../../clock.ts";
import type { Journal } from "../../ledger/journal.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import type { WriteAheadLog } from "./write-ahead-log.ts";

const mostReceipts = 500;
const firstPauseMs = 100;
const longestPauseMs = 3_000;

export interface DeliveryPorts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the process stops: what is not delivered by then stays in the file. */
  readonly stopping: AbortSignal;
}

/**
 * Delivers what waits, in order, until nothing does: asked again and again while the journal is away. A batch of which
 * one receipt could not be delivered is delivered again as a whole; the journal takes a receipt once.
 */
export async function deliverWaiting(waiting: WriteAheadLog, folder: string, ports: DeliveryPorts): Promise<number> {
  const { journal, clock, log, stopping } = ports;
  let delivered = 0;
  let pauseMs = firstPauseMs;
  while (!stopping.aborted) {
    try {
      const batch = await waiting.next(mostReceipts);
      if (batch.length === 0) break;
      await deliver(batch, folder, journal, log);
      await waiting.delivered(batch.length);
      delivered += batch.length;
      pauseMs = firstPauseMs;
    } catch (error) {
      // Anything but an outage is ours to mend, and no reason to lose a receipt either.
      if (!(error instanceof StoreUnavailable)) log.error("receipts could not be delivered", { error: String(error) });
      await sleep(clock, pauseMs, stopping);
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
  return delivered;
}

async function deliver(batch: readonly string[], folder: string, journal: Journal, log: Log): Promise<void> {
  const outcomes = await Promise.allSettled(batch.map((payload) => journal.append(JSON.parse(payload) as Receipt)));
  const refused: string[] = [];
  for (const [place, outcome] of outcomes.entries()) {
    if (outcome.status === "fulfilled") continue;
    if (outcome.reason instanceof StoreUnavailable) throw outcome.reason;
    refused.push(batch[place] ?? "");
    log.error("the journal refuses a receipt; it is kept in refused.jsonl", { folder, error: String(outcome.reason) });
  }
  // Kept for the operator: it must neither be lost nor hold up those behind it.
  if (refused.length > 0) await appendFile(join(folder, "refused.jsonl"), `${refused.join("\n")}\n`, { mode: 0o600 });
}
