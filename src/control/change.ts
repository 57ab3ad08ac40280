import type { Clock, Entropy, Sha256 } from "../clock.ts";
import type { Catalogue } from "../region/catalogue.ts";
import type { SecretBox } from "../secret-box.ts";
import type { AuditEntry, DirectoryAdmin } from "../tenant/directory.ts";
import { hex, tenantIdPattern } from "../tenant/key.ts";
import type { DirectoryEntry } from "../tenant/tenant.ts";
import { done, no } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";

/** What the operators' functions need of the world. */
export interface ChangePorts {
  readonly directory: DirectoryAdmin;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly sha256: Sha256;
  /** For what the directory keeps of secrets. */
  readonly secretBox: SecretBox;
  /** Called for each change, so that a reloaded catalogue counts at once. */
  readonly catalogue: () => Catalogue;
}

/** Who makes a change, and which revision it was decided on; `undefined` takes whichever is current. */
export interface ChangeBy {
  /** Stands in the audit: `operator`, `demo`. */
  readonly actor: string;
  readonly revision?: number | undefined;
}

/** What the audit says of a change beside what changed, as whoever decided it says it. */
export interface AuditNote {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

export function auditNote({ by, reason }: AuditNote): { readonly by: string | null; readonly reason: string | null } {
  return { by: by ?? null, reason: reason ?? null };
}

/** What an edit makes of an entry. Without `action` nothing changes, and neither revision nor audit grows. */
export type Edit<Value> =
  | { readonly value: Value; readonly action?: undefined }
  | {
      readonly value: Value;
      readonly entry: Partial<Omit<DirectoryEntry, "revision">>;
      readonly action: string;
      /** Without secrets. */
      readonly detail: Readonly<Record<string, unknown>>;
    };

export interface Changed<Value> {
  readonly entry: DirectoryEntry;
  readonly value: Value;
}

/** An id that no tenant can have is not asked for: in workerd asking is what makes the tenant's object. */
export async function findTenant(ports: Pick<ChangePorts, "directory">, tenantId: string): Promise<Outcome<DirectoryEntry>> {
  const entry = tenantIdPattern.test(tenantId) ? await ports.directory.find(tenantId) : undefined;
  return entry === undefined ? no({ kind: "tenant_not_found", tenantId }) : done(entry);
}

const attempts = 5;

/**
 * Reads the tenant's entry, lets `edit` decide on it, and writes the next revision with its audit entry by
 * compare-and-set. Where somebody else was faster the edit is decided anew on what they wrote, never merged: a key
 * issued beside a suspension must not undo it. `edit` may run several times, so it must have no effect of its own.
 */
export async function change<Value>(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  edit: (entry: DirectoryEntry, now: string) => Outcome<Edit<Value>>,
): Promise<Outcome<Changed<Value>>> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await findTenant(ports, tenantId);
    if (!found.ok) return found;
    const entry = found.value;
    if (by.revision !== undefined && by.revision !== entry.revision) {
      return no({ kind: "revision_mismatch", expected: by.revision, current: entry.revision });
    }
    const now = nowRfc3339(ports.clock);
    const edited = edit(entry, now);
    if (!edited.ok) return edited;
    const { value } = edited;
    if (value.action === undefined) return done({ entry, value: value.value });
    const next: DirectoryEntry = { ...entry, ...value.entry, revision: entry.revision + 1 };
    const audit = auditEntry(ports, now, by.actor, value.action, tenantId, value.detail);
    if (await ports.directory.save(next, audit)) return done({ entry: next, value: value.value });
  }
  return no({ kind: "contended", tenantId });
}

export function auditEntry(
  ports: Pick<ChangePorts, "clock" | "entropy">,
  at: string,
  actor: string,
  action: string,
  tenantId: string,
  detail: Readonly<Record<string, unknown>>,
): AuditEntry {
  // The time leads, so that ids sort as they were made.
  const time = ports.clock.nowMs().toString(16).padStart(12, "0");
  const random = hex(ports.entropy.bytes(6));
  return { id: `audit_${time}${random}`, at, actor, action, tenantId, detail };
}

export function nowRfc3339(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}
