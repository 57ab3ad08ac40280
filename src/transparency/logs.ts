import type { PublishedKeys } from "./log-keys.ts";
import type { TransparencyLog } from "./transparency-log.ts";

/** What may be asked of a log from outside. */
export type PublicLog = Pick<TransparencyLog, "prove" | "checkpoint" | "consistency" | "shown">;

/** Which log a tenant's receipts are in: one for all of them, or one each, as the runtime keeps its journal. */
export interface Logs {
  readonly published: PublishedKeys;
  of(tenantId: string): PublicLog;
}
