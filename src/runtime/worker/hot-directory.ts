import type { Clock } from "../../clock.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";

/** For so long an isolate may not know of a change to a hot tenant. */
const keptMs = 1_000;
/** Beyond it everything is forgotten, and read once more. */
const keptEntries = 1_000;

/**
 * Keeps the entries of hot tenants for a second. Their requests are spread over shards because one object does not take
 * them all; to ask that object for the entry with each of them would take the shards' point away.
 */
export function keepHotEntries(directory: DirectoryAdmin, clock: Pick<Clock, "nowMs">): DirectoryAdmin {
  const kept = new Map<string, { readonly entry: DirectoryEntry; readonly untilMs: number }>();
  return {
    ...directory,
    async find(tenantId) {
      const known = kept.get(tenantId);
      if (known !== undefined && clock.nowMs() < known.untilMs) return known.entry;
      const entry = await directory.find(tenantId);
      kept.delete(tenantId);
      if (kept.size >= keptEntries) kept.clear();
      if (entry !== undefined && isHot(entry)) kept.set(tenantId, { entry, untilMs: clock.nowMs() + keptMs });
      return entry;
    },
    async save(entry, audit) {
      // Whether it is saved or not: who was told that the entry has changed must find what it is now.
      const saved = await directory.save(entry, audit);
      kept.delete(entry.tenant.id);
      return saved;
    },
  };
}

function isHot({ limits }: DirectoryEntry): boolean {
  return limits.length > 0 && limits.every(({ slices }) => slices === true);
}
