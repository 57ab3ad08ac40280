import type { Log } from "../../log.ts";
import type { QuotaStore } from "../store.ts";

export interface SlicePorts {
  /** The store that all replicas share. */
  readonly exact: QuotaStore;
  /** Milliseconds by a clock that never goes back, since any moment. */
  readonly elapsedMs: () => number;
  /** Of the form of a request's id: what the journal has complete is judged by the least id that is open. */
  readonly newId: () => string;
  readonly log: Log;
}
