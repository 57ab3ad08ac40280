import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { expectBlocked, type StoreFault } from "./harness/audit.ts";
import { operatorOf } from "./harness/one-test.ts";
import { startWorkerd } from "./harness/start-workerd.ts";

/** Tenants' objects cannot write while somebody else holds the locks of their files: each of their writes fails at once. */
function lockedObjects(dataDir: string): StoreFault {
  const locks: DatabaseSync[] = [];
  return {
    begin() {
      const folder = join(dataDir, "v3/do/strait-TenantObject");
      for (const file of readdirSync(folder).filter((name) => name.endsWith(".sqlite"))) {
        const lock = new DatabaseSync(join(folder, file), { timeout: 5_000 });
        lock.exec("BEGIN IMMEDIATE");
        locks.push(lock);
      }
      expect(locks.length).toBeGreaterThan(0);
    },
    end() {
      for (const lock of locks.splice(0)) lock.close();
    },
  };
}

test("a Worker withholds the end of what it cannot record, serves nothing else, and records what was held", async () => {
  const gateway = await startWorkerd({ environment: { STRAIT_LEASE_MS: "1500" } });
  onTestFinished(() => gateway.stop(), 30_000);
  const tenant = await operatorOf(gateway.url).addTenant({ allowCountries: ["JP"] });
  const fault = lockedObjects(gateway.dataDir);
  onTestFinished(() => fault.end());
  await expectBlocked({ url: gateway.url, tenant, upstreams: gateway }, fault);
}, 120_000);
