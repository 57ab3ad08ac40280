import { DatabaseError } from "pg";
import { StoreUnavailable } from "../../quota/store.ts";

/**
 * Classes of SQLSTATE that blame what was asked and not the server: cardinality, data, integrity and size. Everything
 * else counts as an outage, also what an operator has to mend (a missing table, a standby, a changed password): a
 * receipt must wait for that and must not be thrown away.
 */
const faultsOfTheCaller: ReadonlySet<string> = new Set(["21", "22", "23", "54"]);

/** Deadlock, serialisation failure, and a server that was stopped in the midst of it: rolled back, and free to be asked again. */
const worthRepeating: ReadonlySet<string> = new Set(["40P01", "40001", "57P01", "57P02"]);

/** No connection, none left, or a server that is starting or stopping. */
const passing: ReadonlySet<string> = new Set(["08", "53", "57"]);

/** Whether the server rejected what was asked, and will again. */
export function isCallersFault(error: unknown): boolean {
  return error instanceof DatabaseError && error.code !== undefined && faultsOfTheCaller.has(error.code.slice(0, 2));
}

/** Whether the server could not be reached or is just going or coming. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return error instanceof Error;
  return error.code !== undefined && passing.has(error.code.slice(0, 2));
}

/** Whether the same call may pass at once. Not after a timeout: whoever waits has waited long enough. */
export function isWorthRepeating(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code !== undefined && worthRepeating.has(error.code);
  return error instanceof Error && !/time ?out/i.test(error.message);
}

/** What a caller of a store is told: that the store is away, or the error as it is where the caller is at fault. */
export function asPostgresStoreError(error: unknown): unknown {
  if (error instanceof StoreUnavailable || isCallersFault(error)) return error;
  return new StoreUnavailable(`PostgreSQL failed: ${error instanceof Error ? describe(error) : String(error)}`, { cause: error });
}

/** Several addresses that all refused come as one error without a message. */
function describe(error: Error): string {
  if (error.message !== "") return error.message;
  return "code" in error ? String(error.code) : error.name;
}
