import type { PlaceRecords } from "../place-mismatches.ts";
import type { ShadowRecords } from "../shadow-counts.ts";
import type { DirectoryEntry } from "./tenant.ts";

/** Where tenants are looked up on every request. A change must be seen by the next request, or within a second of a hot tenant's. */
export interface Directory {
  find(tenantId: string): DirectoryEntry | undefined | Promise<DirectoryEntry | undefined>;
  /** Remembers that a key was used; may be late and may forget, for nothing depends on it. */
  touchKey(tenantId: string, keyId: string, atMs: number): void;
}

/** The operators' side of the directory, and what else is kept for them for good. */
export interface DirectoryAdmin extends Directory, PlaceRecords, ShadowRecords {
  /** Entries in order of id, beginning after `after`. */
  list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]>;
  /**
   * Writes the entry and its audit record together, only where the stored revision is still `entry.revision - 1` (0 for
   * a new tenant). False where somebody else was faster.
   */
  save(entry: DirectoryEntry, audit: AuditEntry): Promise<boolean>;
  /** Writes an audit entry of something that changes no tenant. */
  note(audit: AuditEntry): Promise<void>;
  /** Milliseconds since the epoch at which each key was last used, by key id. */
  lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>>;
  /** Newest first. */
  audit(tenantId: string | undefined, count: number): Promise<readonly AuditEntry[]>;
}

export interface AuditEntry {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  /** Who did it: `operator`, `demo`, … */
  readonly actor: string;
  /** `tenant.add`, `tenant.verify`, `key.issue`, `key.revoke`, `limits.set`, … */
  readonly action: string;
  /** `*` for what is about no tenant alone. */
  readonly tenantId: string;
  /** What changed, without secrets. */
  readonly detail: Readonly<Record<string, unknown>>;
}
