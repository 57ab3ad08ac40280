import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SlicedQuota } from "../../src/quota/slices/sliced-quota.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { requestId } from "../../src/request-id.ts";
import { systemClock, systemEntropy } from "../../src/runtime/node/clock.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { openValkeyQuota, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";
import { recordingLog } from "./valkey-world.ts";

const ceiling = 100_000;
const settings: readonly LimitSetting[] = [
  limit("monthly", "tokens", "month", ceiling),
  limit("concurrent", "concurrent", "open", 1_000),
].map(({ setting }) => ({ ...setting, slices: true }));
const lasting = settings.map((setting) => ({ ...setting, onOutage: "allow-local" as const }));

describeOnValkey("slices while Valkey is away", () => {
  let server: ValkeyServer;
  let folder: string;
  let shared: ValkeyStore;
  let embedded: SqliteStores;
  let quota: SlicedQuota;
  let serial = 0;

  beforeEach(async () => {
    server = await ValkeyServer.start();
    folder = temporaryDirectory();
    const log = recordingLog();
    shared = await openValkeyQuota(server.address, log, { commandTimeoutMs: 300, quarantineMs: 0 });
    embedded = openSqliteStores(folder, systemClock);
    quota = new SlicedQuota({
      exact: shared.quota,
      local: embedded.quota,
      clock: systemClock,
      elapsedMs: () => performance.now(),
      newId: () => requestId(systemEntropy, systemClock),
      log,
    });
  }, 20_000);
  afterEach(async () => {
    shared.close();
    embedded.close();
    rmSync(folder, { recursive: true, force: true });
    await server.stop();
  });

  const applied = (of: readonly LimitSetting[]) => of.map((setting) => apply(setting, "", undefined, Date.now()));

  /** Sends requests one after the other until one is not answered for, at most `most`; returns how many were admitted. */
  async function send(of: readonly LimitSetting[], most: number): Promise<number> {
    for (let admitted = 0; admitted < most; admitted++) {
      const id = `r${serial++}`;
      try {
        expect((await quota.reserve(reservation(id, applied(of), amounts(10)))).admitted).toBe(true);
        await quota.settle({ id, tenantId: "acme", charge: amounts(10) });
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        return admitted;
      }
    }
    return most;
  }

  it("are used up where all limits allow what is local, and then requests are refused", { timeout: 30_000 }, async () => {
    expect(await send(lasting, 100)).toBe(100);
    await server.kill();
    const admitted = await send(lasting, 10_000);
    expect(admitted).toBeGreaterThan(20);
    expect(admitted).toBeLessThan(1_000);
    expect(await send(lasting, 1)).toBe(0);
  });

  it("are not used where that is not allowed, once it is known that Valkey is away", { timeout: 30_000 }, async () => {
    expect(await send(settings, 100)).toBe(100);
    await server.kill();
    await send(settings, 10_000);
    expect(await send(settings, 1)).toBe(0);
  });

  it(
    "that were lost with Valkey's data are put back, and nothing more is admitted than they hold",
    { timeout: 30_000 },
    async () => {
      expect(await send(settings, 100)).toBe(100);
      await server.command("FLUSHALL");
      expect(await send(settings, 200)).toBe(200);
      // What is not held any more is back, and what came after the loss is counted: nothing here knows what was before it.
      await vi.waitFor(
        async () => {
          const [monthly, concurrent] = await shared.quota.inspect("acme", applied(settings));
          expect(concurrent?.remaining).toBe(1_000);
          expect(monthly?.remaining).toBeLessThanOrEqual(ceiling - 2_000);
        },
        { timeout: 15_000, interval: 200 },
      );
    },
  );
});
