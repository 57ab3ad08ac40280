import type { Clock } from "../../src/clock.ts";
import { Revocations } from "../../src/revocation/revocations.ts";

/** The revocations of a replica that shares its orders with nobody. */
export function loneRevocations(clock: Clock): Revocations {
  return new Revocations({
    paths: [],
    replica: { id: "replica-1", name: "test", startedAtMs: 0 },
    clock,
    elapsed: clock,
    stalenessMs: 10_000,
  });
}
