import { describe, expect, it } from "vitest";
import { CounterGroups } from "../../src/runtime/sql/counter-groups.ts";
import { SqlQuota } from "../../src/runtime/sql/quota.ts";
import type { LimitSetting, LimitUnit, LimitWindow } from "../../src/tenant/limit-setting.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { worldBeginsMs } from "./store-world.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";

describe("CounterGroups", () => {
  it("keeps a bounded number in memory, lets the oldest go, and reads them again as they were written", () => {
    const database = new SqliteDatabase(":memory:", {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
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

  it("drops counters of end users once they are back to nothing for an hour, and no others", async () => {
    const database = new SqliteDatabase(":memory:", {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    migrate(database, "ledger", ledgerMigrations);
    const quota = new SqlQuota(database);
    const noonMs = worldBeginsMs + 60_000 - 12 * 3_600_000;
    const perUser = (name: string, unit: LimitUnit, window: LimitWindow): LimitSetting => ({
      ...limit(name, unit, window, 600).setting,
      endUser: "each",
    });
    const settings = {
      minute: perUser("minute", "tokens", "minute"),
      day: perUser("day", "tokens", "day"),
      open: perUser("open", "concurrent", "open"),
    };
    const scopes = (): string[] =>
      database.all<{ scope: string }>("SELECT scope FROM counter_group ORDER BY scope").map((row) => row.scope);
    const use = (user: string, ...of: LimitSetting[]): void => {
      const limits = [
        limit("all", "tokens", "day", 1_000_000),
        ...of.map((setting) => apply(setting, `|user=${user}`, undefined, noonMs)),
      ];
      expect(quota.reserve(reservation(user, limits, amounts(600)), noonMs).admitted).toBe(true);
    };
    const pass = (toMs: number): string[] => {
      quota.expire(100, toMs);
      quota.flush();
      return scopes();
    };
    use("minute", settings.minute, settings.open);
    use("day", settings.minute, settings.day);
    use("held", settings.minute);
    for (const id of ["minute", "day"]) quota.settle({ id, tenantId: "acme", charge: amounts(600) }, noonMs);
    quota.renew("acme", ["held"], 40 * 3_600_000, noonMs);
    quota.flush();
    const everyone = ["", "|user=day", "|user=held", "|user=minute"];
    // A bucket of 600 is whole again after a minute, and then waits an hour for a clock that goes back.
    expect(pass(noonMs + 60_000 + 3_600_000)).toEqual(everyone);
    expect(pass(noonMs + 60_000 + 3_600_001)).toEqual(["", "|user=day", "|user=held"]);
    expect(pass(noonMs + 13 * 3_600_000)).toEqual(["", "|user=day", "|user=held"]);
    expect(pass(noonMs + 13 * 3_600_000 + 1)).toEqual(["", "|user=held"]);
    // What is in memory is gone as well, and a hold that was never let go of is not.
    expect(
      quota
        .inspect("acme", [apply(settings.minute, "|user=minute"), apply(settings.minute, "|user=held")], noonMs)
        .map((state) => state.remaining),
    ).toEqual([600, 0]);
    database.close();
  });

  it("keeps what was placed a moment ago on a counter that had been idle for long", () => {
    const database = new SqliteDatabase(":memory:", {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    migrate(database, "ledger", ledgerMigrations);
    const quota = new SqlQuota(database);
    const mine = apply({ ...limit("minute", "tokens", "minute", 600).setting, endUser: "each" }, "|user=u");
    quota.reserve(reservation("first", [mine], amounts(1)), 0);
    quota.settle({ id: "first", tenantId: "acme", charge: amounts(1) }, 0);
    quota.flush();
    // One transaction, as a batch has it: a reservation, then the sweep.
    quota.reserve(reservation("second", [mine], amounts(600)), worldBeginsMs);
    quota.expire(100, worldBeginsMs);
    quota.flush();
    quota.forget();
    expect(quota.inspect("acme", [mine], worldBeginsMs)[0]?.remaining).toBe(0);
    database.close();
  });
});
