import type { PublishedKeys } from "./log-keys.ts";
import type { SignNote } from "./signed-note.ts";
import type { TransparencyLog } from "./transparency-log.ts";

/** What may be asked of a log from outside. */
export type PublicLog = Pick<TransparencyLog, "prove" | "checkpoint" | "consistency" | "shown">;

/** Which log a tenant's receipts are in: one for all of them, or one each, as the runtime keeps its journal. */
export interface Logs {
  readonly published: PublishedKeys;
  /** Signs what is in no log with the logs' key. */
  readonly sign: SignNote;
  of(tenantId: string): PublicLog;
}
