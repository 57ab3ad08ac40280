import { describe, expect, it } from "vitest";
import { CounterGroups } from "../../src/runtime/sql/counter-groups.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";

describe("CounterGroups", () => {
  it("keeps a bounded number in memory, lets the oldest go, and reads them again as they were written", () => {
    const database = new SqliteDatabase(":memory:", { synchronous: "normal", busyTimeoutMs: 0, exclusive: false });
    migrate(database, "ledger", ledgerMigrations);
    const groups = new CounterGroups(database);
    for (let index = 0; index <= 20_000; index++) {
      const group = groups.group(`tenant-${index}`, "");
      groups.counter(group, "tokens/day/daily").used = index;
      groups.change(group);
    }
    groups.flush();
    database.run("UPDATE counter_group SET counters = '[[\"tokens/day/daily\",77,0,0,0]]'");
    const used = (tenant: string): number => groups.counter(groups.group(tenant, ""), "tokens/day/daily").used;
    expect(used("tenant-5")).toBe(77);
    expect(used("tenant-20000")).toBe(20_000);
    groups.forget();
    expect(used("tenant-20000")).toBe(77);
    database.close();
  });
});
