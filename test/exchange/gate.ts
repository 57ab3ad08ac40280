import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
} from "@opentelemetry/sdk-trace";
import type { ExchangePorts } from "../../src/exchange-ports.ts";
import { DirectoryDigestKeys } from "../../src/control/digest-keys.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import type { LogFields } from "../../src/log.ts";
import { PlaceAlarm } from "../../src/place-alarm.ts";
import { OpenExchanges } from "../../src/open-exchanges.ts";
import type { Settlement } from "../../src/quota/store.ts";
import type { Catalogue, Region } from "../../src/region/catalogue.ts";
import type { Revocations } from "../../src/revocation/revocations.ts";
import { Health } from "../../src/routing/health.ts";
import { sha256 } from "../../src/runtime/node/clock.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { createSecretBox } from "../../src/secret-box.ts";
import { defaultSettings, type Settings } from "../../src/settings.ts";
import { mintKey } from "../../src/tenant/key.ts";
import { periodsOf } from "../../src/quota/limit.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { catalogueOf, claude, deployment, region } from "../support/catalogue.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { openPolicy, tenant } from "../support/permits.ts";
import { RecordingOutbound, ScriptedInbound } from "../support/recording-outbound.ts";
import { ScriptedTransport, type ScriptedCall } from "../support/scripted-transport.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";
import { loneRevocations } from "../support/lone-revocations.ts";

export const settings: Settings = {
  ...defaultSettings,
  bodyLimitBytes: 64 * 1024,
  deadlines: { connectMs: 100, firstByteMs: 1_000, idleMs: 2_000, totalMs: 30_000, holdMs: 500 },
  bounds: { holdBytes: 4_096, maxEventBytes: 8_192 },
  attempts: 3,
  longestWaitMs: 500,
  keepAliveMs: 300,
  lingerMs: 200,
  leaseMs: 60_000,
  gatewayPlace: "test-rack",
};

export const place: Region = { ...region("sea", "SG"), displayName: "Southeast Asia" };
export const anthropicPlace: Region = region("claude-us", "US", "anthropic");

export const catalogue: Catalogue = catalogueOf([
  deployment("aaa", { region: place }),
  deployment("bbb", { region: region("swe", "SE") }),
  deployment("ccc", { region: anthropicPlace, model: claude, upstreamName: "claude-up" }),
]);

export interface GateOptions {
  readonly play?: (call: ScriptedCall, number: number) => void;
  readonly limits?: readonly LimitSetting[];
  /** The models that the tenant's key is narrowed to. */
  readonly keyModels?: readonly string[];
  readonly catalogue?: Catalogue;
  readonly sampler?: Sampler;
  readonly ports?: Partial<ExchangePorts>;
}

/** What one client sends. */
export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The body is whole only then. */
  readonly arrives?: Promise<unknown>;
  readonly key?: string | undefined;
}

/** One client's request on its way. */
export class Asked {
  readonly inbound: ScriptedInbound;
  readonly outbound: RecordingOutbound = new RecordingOutbound();
  readonly done: Promise<void>;
  isDone = false;

  constructor(gateway: Gateway, inbound: ScriptedInbound) {
    this.inbound = inbound;
    this.done = (gateway.handle(inbound, this.outbound) ?? Promise.reject(new Error("no such path"))).then(
      () => void (this.isDone = true),
    );
  }

  get json(): {
    readonly error?: { readonly code?: string; readonly type?: string; readonly message?: string };
    readonly [member: string]: unknown;
  } {
    return JSON.parse(this.outbound.text) as never;
  }

  get requestId(): string {
    return this.outbound.header("x-request-id") ?? "";
  }
}

/** A gateway over real stores, with both of its sides and its time in a test's hands. */
export class Gate {
  readonly clock: FakeClock = new FakeClock();
  readonly transport: ScriptedTransport;
  readonly health: Health = new Health({ failures: 3, openMs: 5_000, longestOpenMs: 60_000 });
  readonly open: OpenExchanges = new OpenExchanges();
  readonly revocations: Revocations;
  readonly placeAlarm: PlaceAlarm;
  readonly stores: SqliteStores;
  readonly logged: { readonly level: string; readonly message: string; readonly fields: LogFields | undefined }[] = [];
  /** Everything that was ever closed, in order. */
  readonly closed: { readonly receipt: Receipt; readonly settlement: Settlement }[] = [];
  readonly key: string;
  readonly keyId: string;
  readonly gateway: Gateway;
  readonly #exporter = new InMemorySpanExporter();
  readonly #folder: string;

  private constructor(
    options: GateOptions,
    folder: string,
    stores: SqliteStores,
    clock: FakeClock,
    minted: { key: string; id: string },
  ) {
    this.clock = clock;
    this.stores = stores;
    this.key = minted.key;
    this.keyId = minted.id;
    this.#folder = folder;
    this.transport = new ScriptedTransport(options.play);
    this.revocations = loneRevocations(clock);
    const log = (level: string) => (message: string, fields?: LogFields) => void this.logged.push({ level, message, fields });
    const provider = new TracerProvider({
      spanProcessors: [new SimpleSpanProcessor({ exporter: this.#exporter })],
      ...(options.sampler === undefined ? {} : { sampler: options.sampler }),
    });
    const logTo = { info: log("info"), warn: log("warn"), error: log("error") };
    const world = { catalogue: options.catalogue ?? catalogue, policy: openPolicy };
    this.placeAlarm = new PlaceAlarm({
      clock,
      log: logTo,
      replica: "replica-1",
      records: stores.directory,
      quarantine: async ({ id }, reason) => {
        await this.revocations.issue({
          id: `order-${id}`,
          scope: { deployment: id },
          reason,
          by: "gateway",
          issuedAtMs: clock.nowMs(),
          expiresAtMs: undefined,
          restored: undefined,
        });
      },
    });
    const entropy = new SeededEntropy(99);
    const secretBox = createSecretBox([], entropy);
    const { directory } = stores;
    this.gateway = createGateway({
      clock,
      entropy,
      sha256,
      hashes,
      log: logTo,
      tracer: provider.getTracer("test"),
      directory,
      digestKeys: new DirectoryDigestKeys({ directory, clock, entropy, sha256, secretBox, catalogue: () => world.catalogue }),
      world: () => world,
      quota: stores.quota,
      journal: stores.journal,
      refusals: stores.refusals,
      books: {
        close: async (receipt, settlement) => {
          this.closed.push({ receipt, settlement });
          await stores.books.close(receipt, settlement);
        },
      },
      transport: this.transport,
      credentials: (from) => `upstream-secret-${from.id}`,
      health: this.health,
      open: this.open,
      revocations: this.revocations,
      placeAlarm: this.placeAlarm,
      settings,
      ...options.ports,
    });
  }

  static async open(options: GateOptions = {}): Promise<Gate> {
    const folder = mkdtempSync(join(tmpdir(), "strait-exchange-"));
    const clock = new FakeClock();
    // The stores' time is the same, but their own timers (when keys were last used) are not the exchange's.
    const stores = openSqliteStores(folder, { nowMs: () => clock.nowMs(), after: () => () => {} });
    const minted = mintKey(tenant.id, new SeededEntropy(11), sha256);
    const key = {
      id: minted.id,
      name: "first",
      digest: minted.digest,
      createdAt: tenant.createdAt,
      expiresAt: undefined,
      revokedAt: undefined,
      models: options.keyModels,
      surfaces: undefined,
    };
    const audit = { id: "audit-1", at: tenant.createdAt, actor: "test", action: "tenant.add", tenantId: tenant.id, detail: {} };
    await stores.directory.save({ revision: 1, tenant, keys: [key], limits: options.limits ?? [] }, audit);
    return new Gate(options, folder, stores, clock, minted);
  }

  close(): void {
    this.stores.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  ask({
    method = "POST",
    path = "/v1/chat/completions",
    query = "",
    headers = {},
    body,
    arrives,
    key = this.key,
  }: Ask = {}): Asked {
    const content = body ?? { model: "gpt-test", stream: true, messages: [{ role: "user", content: "hello" }], max_tokens: 50 };
    const authorization: Record<string, string> = key === "" ? {} : { authorization: `Bearer ${key}` };
    const inbound = new ScriptedInbound({
      method,
      path,
      query,
      headers: { ...authorization, ...headers },
      ...(arrives === undefined ? {} : { arrives }),
      ...(method === "POST" ? { body: typeof content === "string" ? content : JSON.stringify(content) } : {}),
    });
    return new Asked(this.gateway, inbound);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) await settled();
  }

  /** A request that has reached its upstream. */
  async reached(ask: Ask = {}): Promise<Asked> {
    const asked = this.ask(ask);
    const before = this.transport.calls.length;
    for (let round = 0; round < 50 && this.transport.calls.length === before && !asked.isDone; round++) await settled();
    return asked;
  }

  /** The answer's whole way, with time passing where it must. */
  async finished(asked: Asked): Promise<Asked> {
    for (let round = 0; round < 200 && !asked.isDone; round++) await this.clock.pass(round < 20 ? 0 : 500);
    await asked.done;
    return asked;
  }

  async receiptOf(asked: Asked): Promise<Receipt | undefined> {
    return this.stores.journal.find(tenant.id, asked.requestId);
  }

  spans(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  forgetSpans(): void {
    this.#exporter.reset();
  }

  /** Requests in flight as the store counts them, by a limit that it would be counted under. */
  async held(limit: LimitSetting): Promise<number> {
    const [state] = await this.stores.quota.inspect(tenant.id, [
      { setting: limit, counter: limit.name, periods: periodsOf(limit, undefined, this.clock.nowMs()) },
    ]);
    return (state?.capacity ?? 0) - (state?.remaining ?? 0);
  }
}
