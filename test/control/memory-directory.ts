import type { PlaceMismatches } from "../../src/place-mismatches.ts";
import type { ShadowCounts } from "../../src/shadow-counts.ts";
import type { AuditEntry, DirectoryAdmin } from "../../src/tenant/directory.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";

/** A directory in memory that honours the contract; `beforeSave` lets a test be faster than the one that saves. */
export class MemoryDirectory implements DirectoryAdmin {
  readonly entries: Map<string, DirectoryEntry> = new Map();
  readonly audits: AuditEntry[] = [];
  readonly used: Map<string, number> = new Map();
  readonly found: Map<string, PlaceMismatches> = new Map();
  readonly shadowCounts: Map<string, ShadowCounts> = new Map();
  saves = 0;
  beforeSave: (entry: DirectoryEntry) => void | Promise<void> = () => undefined;

  find(tenantId: string): DirectoryEntry | undefined {
    const entry = this.entries.get(tenantId);
    return entry && structuredClone(entry);
  }

  touchKey(tenantId: string, keyId: string, atMs: number): void {
    this.used.set(`${tenantId}/${keyId}`, atMs);
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    const ids = [...this.entries.keys()].sort().filter((id) => after === undefined || id > after);
    return ids.slice(0, count).flatMap((id) => this.find(id) ?? []);
  }

  async save(entry: DirectoryEntry, audit: AuditEntry): Promise<boolean> {
    this.saves += 1;
    await this.beforeSave(entry);
    if ((this.entries.get(entry.tenant.id)?.revision ?? 0) !== entry.revision - 1) return false;
    this.entries.set(entry.tenant.id, structuredClone(entry));
    this.audits.unshift(structuredClone(audit));
    return true;
  }

  async note(audit: AuditEntry): Promise<void> {
    this.audits.unshift(structuredClone(audit));
  }

  async keepMismatches(found: PlaceMismatches): Promise<void> {
    this.found.set(`${found.deployment} ${found.replica}`, structuredClone(found));
  }

  async mismatches(): Promise<readonly PlaceMismatches[]> {
    return [...this.found.values()];
  }

  async keepShadow(counts: ShadowCounts): Promise<void> {
    this.shadowCounts.set(counts.replica, structuredClone(counts));
  }

  async shadows(candidate: string): Promise<readonly ShadowCounts[]> {
    return [...this.shadowCounts.values()].filter((counts) => counts.candidate === candidate);
  }

  async lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>> {
    const prefix = `${tenantId}/`;
    return new Map([...this.used].filter(([id]) => id.startsWith(prefix)).map(([id, atMs]) => [id.slice(prefix.length), atMs]));
  }

  async audit(tenantId: string | undefined, count: number): Promise<readonly AuditEntry[]> {
    return this.audits.filter((entry) => tenantId === undefined || entry.tenantId === tenantId).slice(0, count);
  }

  /** Somebody else's change, between another's read and write. */
  overtake(tenantId: string): void {
    const entry = this.entries.get(tenantId);
    if (entry !== undefined) this.entries.set(tenantId, { ...entry, revision: entry.revision + 1 });
  }
}
