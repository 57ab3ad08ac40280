import { NoSigningKey, TransparencyLog } from "../../transparency/transparency-log.ts";
import type { LogStore } from "../../transparency/log-store.ts";
import { systemClock } from "./clock.ts";
import { hashes } from "./hashes.ts";
import { readWorkerLogKeys } from "./log-key.ts";
import type { Variables } from "./variables.ts";

/** The log of one tenant's receipts, in its object: it alone writes the tree, and signs it. */
export class TenantLog {
  readonly #store: LogStore;
  readonly #variables: Variables;
  #log: Promise<TransparencyLog> | undefined;

  constructor(store: LogStore, variables: Variables) {
    this.#store = store;
    this.#variables = variables;
  }

  /** Rejects with `NoSigningKey` where none is configured: the journal keeps what the tree takes in once there is one. */
  open(): Promise<TransparencyLog> {
    return (this.#log ??= this.#open());
  }

  async #open(): Promise<TransparencyLog> {
    const read = await readWorkerLogKeys(this.#variables);
    if (!read.ok) throw new NoSigningKey();
    return new TransparencyLog(this.#store, read.keys, systemClock, hashes.sha256Bytes);
  }
}
