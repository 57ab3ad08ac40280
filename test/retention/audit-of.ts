import { auditLog, type AuditReport, type ShownEntry } from "../../src/transparency/audit-log.ts";
import { readCheckpoint } from "../../src/transparency/checkpoint.ts";
import type { StoredCheckpoint } from "../../src/transparency/log-store.ts";
import type { RetentionWorld } from "../stores/store-world.ts";
import { sha256Bytes } from "../transparency/sha256.ts";

type Log = ReturnType<RetentionWorld["log"]>;

/** All entries of a log, as its operator shows them. */
export async function shownBy(log: Log): Promise<readonly ShownEntry[]> {
  const entries: ShownEntry[] = [];
  for await (const page of pagesOf(log)) entries.push(...page);
  return entries;
}

/** What an auditor finds who kept these checkpoints of a log. */
export function auditOf(log: Log, kept: readonly StoredCheckpoint[]): Promise<AuditReport> {
  return auditLog(
    pagesOf(log),
    kept.flatMap(({ note }) => readCheckpoint(note) ?? []),
    sha256Bytes,
  );
}

async function* pagesOf(log: Log): AsyncGenerator<readonly ShownEntry[]> {
  for (let from = 0; ;) {
    const page = await log.shown(from, 50);
    if (page.length === 0) return;
    yield page;
    from += page.length;
  }
}
