import { StoreUnavailable } from "../../quota/store.ts";

/** Calls an object; one that cannot be reached is a store that is away. */
export async function reach<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return released(await call());
  } catch (error) {
    throw isOurFault(error) ? error : new StoreUnavailable("the tenant's object could not be reached", { cause: error });
  }
}

/** For calls that may run twice: an object that was just moved or restarted fails once and is then there again. */
export async function reachAgain<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return released(await call());
  } catch (error) {
    if (!isPassing(error)) return reach(() => Promise.reject(error));
    return reach(call);
  }
}

/**
 * An answer holds on to the object that gave it until the caller ends, and an object that calls another has no end: that
 * one would never rest. What is answered here is data alone, which stays readable.
 */
function released<Result>(result: Result): Result {
  if (typeof result === "object" && result !== null && Symbol.dispose in result) {
    const { [Symbol.dispose]: release } = result;
    if (typeof release === "function") Reflect.apply(release, result, []);
  }
  return result;
}

/** What an object throws at a wrong argument is a mistake of ours, which asking later does not mend. */
function isOurFault(error: unknown): boolean {
  return error instanceof RangeError || error instanceof TypeError;
}

/** Workerd's word for a failure that another try may get over; an overloaded object is not asked again. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof Error &&
    "retryable" in error &&
    error.retryable === true &&
    !("overloaded" in error && error.overloaded === true)
  );
}
