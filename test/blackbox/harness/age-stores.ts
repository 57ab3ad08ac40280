import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const quarterMs = 15 * 60_000;

/** What tells a record's age, in the tables of both runtimes. Documents under the log's signature stay as they are. */
const ages: Readonly<Record<string, string>> = {
  receipt: "started_at_ms = started_at_ms - :byMs",
  receipt_earlier: "started_at_ms = started_at_ms - :byMs",
  receipt_order: "started_at_ms = started_at_ms - :byMs",
  refusal: "started_at_ms = started_at_ms - :byMs",
  usage_slice: `quarter = quarter - :byMs / ${quarterMs}`,
  key_use: "last_used_at_ms = last_used_at_ms - :byMs",
  audit: `document = json_set(document, '$.at', strftime('%Y-%m-%dT%H:%M:%SZ', julianday(document->>'$.at') - :byMs / 86400000.0))`,
};

/** Makes all that lies in a stopped gateway's folder older. Nobody can wait five years, and a gateway is told no other time. */
export function ageStores(dataDir: string, byMs: number): void {
  const wholeQuarters = Math.round(byMs / quarterMs) * quarterMs;
  let aged = 0;
  for (const path of readdirSync(dataDir, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".sqlite")) continue;
    const database = new DatabaseSync(join(dataDir, path));
    for (const [table, age] of Object.entries(ages)) {
      if (database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) === undefined) continue;
      aged += Number(database.prepare(`UPDATE ${table} SET ${age}`).run({ byMs: wholeQuarters }).changes);
    }
    database.close();
  }
  if (aged === 0) throw new Error(`there is no record to age in ${dataDir}`);
}
