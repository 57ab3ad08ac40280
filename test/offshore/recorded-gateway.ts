import { trace } from "@opentelemetry/api";
import { PolicyShelf, type ShelvedPolicy } from "../../src/bundle/policy-shelf.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import type { Receipt, RefusalReceipt } from "../../src/ledger/receipt.ts";
import { OpenExchanges } from "../../src/open-exchanges.ts";
import { PlaceAlarm } from "../../src/place-alarm.ts";
import type { World } from "../../src/policy/world.ts";
import { formatProblems } from "../../src/region/problem.ts";
import { readCatalogue } from "../../src/region/read-catalogue.ts";
import type { Revocations } from "../../src/revocation/revocations.ts";
import { Health } from "../../src/routing/health.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { sha256 } from "../../src/runtime/node/clock.ts";
import type { OpenDigestKey } from "../../src/tenant/digest-key.ts";
import { mintKey } from "../../src/tenant/key.ts";
import type { DirectoryEntry, Tenant } from "../../src/tenant/tenant.ts";
import type { Transport } from "../../src/upstream/transport.ts";
import { settings } from "../exchange/gate.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { RecordingOutbound, ScriptedInbound } from "../support/recording-outbound.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";
import { loneRevocations } from "../support/lone-revocations.ts";
import { beginsMs, filesOf, type DrawnWorld } from "./drawn-world.ts";

/** Of every tenant: what is digested is another test's. */
const digestKey: OpenDigestKey = {
  id: "key-1",
  key: new Uint8Array(32),
  createdAt: "2026-01-01T00:00:00Z",
  retiredAt: undefined,
};

export interface RecordedTenant {
  readonly tenant: Tenant;
  readonly key: string;
  readonly keyId: string;
}

/** One request that was made, and its client's side. */
export interface Made {
  readonly outbound: RecordingOutbound;
  readonly done: Promise<void>;
  isDone: boolean;
}

/** The real exchange over a drawn world, with upstreams in a test's hands and stores that only remember. */
export class RecordedGateway {
  readonly clock: FakeClock = new FakeClock(beginsMs);
  readonly revocations: Revocations;
  readonly tenants: readonly RecordedTenant[];
  readonly worlds: readonly World[];
  readonly receipts: Receipt[] = [];
  readonly refusals: RefusalReceipt[] = [];
  readonly #gateway: Gateway;
  #quarantines = 0;

  constructor(drawn: DrawnWorld, transport: Transport) {
    const { clock } = this;
    const entropy = new SeededEntropy(7);
    const shelved = (which: "first" | "second", effectiveFromMs?: number): ShelvedPolicy => {
      const read = readCatalogue(filesOf(drawn, drawn[which]), sha256, { effectiveFromMs, effectiveToMs: undefined });
      if (!read.ok) throw new Error(formatProblems(read.problems));
      return { file: which, world: read, signed: undefined, keyId: undefined };
    };
    const policies = [shelved("first"), shelved("second", drawn.secondFromMs)] as const;
    const shelf = new PolicyShelf(policies[0], [policies[1]], []);
    this.worlds = policies.map(({ world }) => world);
    this.tenants = drawn.tenants.map((tenant, index) => {
      const id = `tenant_${index}`;
      const minted = mintKey(id, entropy, sha256);
      return { tenant: { ...tenant, id }, key: minted.key, keyId: minted.id };
    });
    const entries = new Map(this.tenants.map((each) => [each.tenant.id, entryOf(each)]));
    this.revocations = loneRevocations(clock);
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const placeAlarm = new PlaceAlarm({
      clock,
      log,
      replica: "replica-1",
      records: { keepMismatches: async () => undefined, mismatches: async () => [] },
      quarantine: async ({ id }, reason) => {
        const order = { id: `quarantine-${(this.#quarantines += 1)}`, scope: { deployment: id }, reason, by: "gateway" };
        await this.revocations.issue({ ...order, issuedAtMs: clock.nowMs(), expiresAtMs: undefined, restored: undefined });
      },
    });
    this.#gateway = createGateway({
      clock,
      entropy,
      sha256,
      hashes,
      log,
      tracer: trace.getTracer("none"),
      directory: { find: (id) => entries.get(id), touchKey: () => undefined },
      digestKeys: { current: () => digestKey, all: async () => [digestKey] },
      world: (atMs) => shelf.at(atMs),
      quota: {
        reserve: async () => ({ admitted: true, states: [], shadowed: [], near: [] }),
        settle: async () => true,
        renew: async () => undefined,
        expire: async () => [],
        recorded: async () => undefined,
        inspect: async () => [],
      },
      journal: {
        append: async (receipt) => void this.receipts.push(receipt),
        find: async (_, id) => this.receipts.find(({ requestId }) => requestId === id),
        list: async () => [],
        findResponse: async (tenantId, id) =>
          this.receipts.find((receipt) => receipt.tenantId === tenantId && receipt.responseId === id),
      },
      refusals: {
        append: async (refusal) => void this.refusals.push(refusal),
        find: async (_, id) => this.refusals.find(({ requestId }) => requestId === id),
      },
      books: { close: async (receipt) => void this.receipts.push(receipt) },
      transport,
      credentials: () => "an upstream's secret",
      health: new Health({ failures: 6, openMs: 5_000, longestOpenMs: 60_000 }),
      open: new OpenExchanges(),
      revocations: this.revocations,
      placeAlarm,
      settings,
    });
  }

  make(by: RecordedTenant, path: string, headers: Readonly<Record<string, string>>, body: unknown): Made {
    const outbound = new RecordingOutbound();
    const inbound = new ScriptedInbound({
      path,
      headers: { authorization: `Bearer ${by.key}`, ...headers },
      body: JSON.stringify(body),
    });
    const done = this.#gateway.handle(inbound, outbound) ?? Promise.reject(new Error(`no such path: ${path}`));
    const made: Made = { outbound, done, isDone: false };
    void done.then(() => (made.isDone = true));
    return made;
  }

  /** The whole way of all that was made, with time passing where it must. */
  async finish(all: readonly Made[]): Promise<void> {
    for (let round = 0; round < 200 && !all.every(({ isDone }) => isDone); round += 1) {
      if (round < 20) await settled();
      else await this.clock.pass(500);
    }
    await Promise.all(all.map(({ done }) => done));
  }
}

function entryOf({ tenant, key, keyId }: RecordedTenant): DirectoryEntry {
  const digest = Buffer.from(sha256(key)).toString("hex");
  const common = { expiresAt: undefined, revokedAt: undefined, models: undefined, surfaces: undefined };
  return { revision: 1, tenant, keys: [{ id: keyId, name: "key", digest, createdAt: tenant.createdAt, ...common }], limits: [] };
}
