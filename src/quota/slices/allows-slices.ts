import type { AppliedLimit } from "../limit.ts";

/** A request may be admitted from slices where every limit that it falls under allows it. */
export function allowsSlices(limits: readonly AppliedLimit[]): boolean {
  return limits.length > 0 && limits.every(({ setting }) => setting.slices === true);
}
