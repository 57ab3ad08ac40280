import { Shadow } from "../../src/bundle/shadow.ts";
import type { Clock } from "../../src/clock.ts";
import type { World } from "../../src/policy/world.ts";
import type { ShadowRecords } from "../../src/shadow-counts.ts";
import { MemoryDirectory } from "../control/memory-directory.ts";
import { FakeClock } from "../support/fake-clock.ts";

export interface ShadowParts {
  readonly records?: ShadowRecords;
  readonly replica?: string;
  readonly clock?: Clock;
}

/** A shadow of a replica that is alone, unless others are given. */
export function shadowOf(candidate: () => World | undefined, parts: ShadowParts = {}): Shadow {
  const { records = new MemoryDirectory(), replica = "replica-1", clock = new FakeClock() } = parts;
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  return new Shadow({ candidate, records, replica, clock, log });
}
