import { rmSync } from "node:fs";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { amountsOf, appliedLimits } from "../../src/quota/limit.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { catalogue, control, operatorKey, type Fixture } from "./control-fixture.ts";
import { receipt } from "../stores/samples.ts";
import { requestIdAt } from "../stores/journal-reader-contract.ts";
import { temporaryDirectory } from "../stores/sqlite-world.ts";

/** The operators' API over a real journal, with a tenant `acme` in it. */
export interface UsageFixture extends Fixture {
  readonly stores: SqliteStores;
  /** Appends receipts; their ids follow from their times. */
  readonly write: (...receipts: readonly Partial<Receipt>[]) => Promise<Receipt[]>;
  /**
   * One of acme's requests as the gateway makes it: 100 tokens and 50 micro-USD held against every limit, then closed with
   * what it used, unless it is still in flight.
   */
  readonly exchange: (keyId: string, model: string, closed: Closed | undefined, startedAtMs?: number) => Promise<void>;
  readonly raw: (path: string, signal?: AbortSignal) => Promise<Response>;
  readonly close: () => void;
}

export interface Closed {
  readonly tokens: number;
  readonly microUsd: number;
  /** False for one that was settled, and whose receipt was lost: what no gateway does. */
  readonly isRecorded?: boolean;
}

export type Overrides = Parameters<typeof control>[0];

/** The clock that the stores and the API share is the fixture's own, so it is made first. */
export async function usageControl(overrides: Overrides = {}): Promise<UsageFixture> {
  const folder = temporaryDirectory();
  const held: { fixture?: Fixture } = {};
  const clock = { nowMs: () => held.fixture?.clock.ms ?? 0, after: () => () => undefined };
  const stores = openSqliteStores(folder, clock);
  const { reader, reservations } = stores;
  const fixture = control({
    reader,
    reservations,
    inspectLimits: (tenantId, limits) => stores.quota.inspect(tenantId, limits),
    ...overrides,
  });
  held.fixture = fixture;
  await fixture.call("POST", "/tenants", { id: "acme", name: '=Acme, "Ltd"', tiers: ["frontier"] });
  let number = 0;
  return {
    ...fixture,
    stores,
    async write(...receipts) {
      const whole = receipts.map((more) => {
        const startedAtMs = more.startedAtMs ?? fixture.clock.ms;
        return receipt(requestIdAt(startedAtMs, ++number), { startedAtMs, endedAtMs: startedAtMs + 900, ...more });
      });
      await Promise.all(whole.map((one) => stores.journal.append(one)));
      return whole;
    },
    async exchange(keyId, model, closed, startedAtMs = fixture.clock.ms) {
      const entry = fixture.directory.find("acme");
      const subject = { keyId, model, tier: catalogue.models.get(model)?.tier ?? "", endUser: undefined, timeZone: undefined };
      const id = requestIdAt(startedAtMs, ++number);
      const held = receipt(id, { keyId, model, startedAtMs, end: "unsettled", chargedTokens: 100, costMicroUsd: 50 });
      const limits = appliedLimits(entry?.limits ?? [], subject, fixture.clock.ms);
      await stores.quota.reserve({
        id,
        tenantId: "acme",
        limits,
        hold: amountsOf(1, 60, 40, 50),
        leaseMs: 60_000,
        intent: JSON.stringify(held),
      });
      if (closed === undefined) return;
      const settlement = { id, tenantId: "acme", charge: amountsOf(0, closed.tokens, 0, closed.microUsd) };
      if (closed.isRecorded === false) await stores.quota.settle(settlement);
      else
        await stores.books.close(
          { ...held, end: "completed", chargedTokens: closed.tokens, costMicroUsd: closed.microUsd },
          settlement,
        );
    },
    raw: async (path, signal) =>
      fixture.app.request(`/control/v1${path}`, {
        headers: { authorization: `Bearer ${operatorKey}` },
        ...(signal === undefined ? {} : { signal }),
      }),
    close() {
      stores.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
