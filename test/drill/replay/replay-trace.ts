/**
 * One trace against one setting, in virtual time: the estimate, the limits, the quota store and the journal are the gateway's
 * own, on a SQLite file; only the clock and the model are made up. A request that is refused does not come back.
 */
import { join } from "node:path";
import { intentReceipt } from "../../../src/ledger/make-receipt.ts";
import { settle } from "../../../src/ledger/settlement.ts";
import { estimate, type Hold } from "../../../src/quota/estimate.ts";
import { Learning } from "../../../src/quota/learning.ts";
import type { ModelRequest } from "../../../src/dialect/model-request.ts";
import { SqliteDatabase } from "../../../src/runtime/node/sqlite-database.ts";
import { closeBooks } from "../../../src/runtime/sql/books.ts";
import { migrate } from "../../../src/runtime/sql/database.ts";
import { hashes } from "../../../src/runtime/node/hashes.ts";
import { MerkleHasher } from "../../../src/transparency/merkle.ts";
import { SqlJournal } from "../../../src/runtime/sql/journal.ts";
import { SqlQuota } from "../../../src/runtime/sql/quota.ts";
import { ledgerMigrations } from "../../../src/runtime/sql/schema.ts";
import { unknownUsage } from "../../../src/upstream/usage.ts";
import { Agenda } from "./agenda.ts";
import { countingLimit, replayedPrice, replayedRequest, ReplayedTenant } from "./replayed-tenant.ts";
import type { ReplaySetting } from "./settings.ts";
import type { TraceRequest } from "./trace.ts";

/** The limit of each tenant, in tenths of its own mean use. */
const limitTenths = 12;
/** How long a model takes, as in the simulation whose figures stand beside: 50 ms and 20 ms a token. */
const answerMs = ({ outputTokens }: TraceRequest): number => 50 + 20 * outputTokens;
const leaseMs = 3_600_000;
/** So many steps to a transaction: nothing reads what is not committed. */
const batch = 500;
const beginsMs: number = Date.UTC(2026, 10, 23);

export interface Replayed {
  readonly sent: number;
  readonly refused: number;
  /** What was held in all, and what of it was charged. */
  readonly heldTokens: number;
  readonly chargedTokens: number;
  /** What the model wrote and read for what was admitted. */
  readonly servedTokens: number;
  /** What the limits say was used; what the journal's receipts add up to. */
  readonly countedTokens: number;
  readonly journalTokens: number;
  /** Still held when all was over. */
  readonly leftTokens: number;
  /** Admissions after which more was used and held than a limit takes. */
  readonly over: number;
}

interface Open {
  readonly tenant: ReplayedTenant;
  readonly asked: TraceRequest;
  readonly request: ModelRequest;
  readonly hold: Hold;
  readonly id: string;
  readonly startedAtMs: number;
}

export function replayTrace(
  requests: readonly TraceRequest[],
  tenants: number,
  setting: ReplaySetting,
  folder: string,
): Replayed {
  const database = new SqliteDatabase(join(folder, "ledger.sqlite"), {
    synchronous: "normal",
    busyTimeoutMs: 0,
    exclusive: true,
    checkpointThread: false,
  });
  database.transact(() => migrate(database, "ledger", ledgerMigrations));
  try {
    return new Replay(database, requests, tenants, setting).run();
  } finally {
    database.close();
  }
}

class Replay {
  readonly #database: SqliteDatabase;
  readonly #quota: SqlQuota;
  readonly #journal: SqlJournal;
  readonly #learning: Learning = new Learning();
  readonly #requests: readonly TraceRequest[];
  readonly #tenants: readonly ReplayedTenant[];
  readonly #setting: ReplaySetting;
  readonly #open: Agenda<Open> = new Agenda();
  #refused = 0;
  #held = 0;
  #charged = 0;
  #served = 0;
  #over = 0;

  constructor(database: SqliteDatabase, requests: readonly TraceRequest[], tenants: number, setting: ReplaySetting) {
    this.#database = database;
    this.#quota = new SqlQuota(database);
    this.#journal = new SqlJournal(database, new MerkleHasher(hashes.sha256Bytes));
    this.#requests = requests;
    this.#setting = setting;
    this.#tenants = Array.from({ length: tenants }, (_, index) => {
      const own = requests.filter((_request, at) => at % tenants === index);
      const ceiling = Math.ceil((meanPerMinute(own) * limitTenths) / 10);
      return new ReplayedTenant(`replay_${index}`, ceiling, ceiling * setting.burstMinutes, beginsMs);
    });
  }

  run(): Replayed {
    let next = 0;
    while (next < this.#requests.length || this.#open.size > 0) {
      this.#database.transact(() => {
        for (let step = 0; step < batch; step += 1) next = this.#step(next);
        this.#quota.flush();
      });
    }
    return this.#result();
  }

  /** The earliest of what is to come: an arrival or an end. Returns which request arrives next. */
  #step(next: number): number {
    const asked = this.#requests[next];
    const arrivesMs = asked === undefined ? Number.POSITIVE_INFINITY : beginsMs + asked.atMs;
    const ended = this.#open.takeUntil(arrivesMs);
    if (ended !== undefined) {
      this.#settle(ended.item, ended.atMs);
      return next;
    }
    if (asked === undefined) return next;
    this.#arrive(asked, next, arrivesMs);
    return next + 1;
  }

  #arrive(asked: TraceRequest, index: number, nowMs: number): void {
    const tenant = this.#tenants[index % this.#tenants.length];
    if (tenant === undefined) return;
    const request = replayedRequest(asked, this.#setting);
    const hold = estimate(request, tenant.permit, nowMs, this.#setting.learned ? this.#learning : undefined);
    const id = `req_${String(index).padStart(8, "0")}`;
    const outcome = this.#quota.reserve(
      {
        id,
        tenantId: tenant.id,
        limits: tenant.limits(nowMs),
        hold: hold.amounts,
        leaseMs,
        intent: JSON.stringify(intentReceipt(tenant.basis(id, request, hold, nowMs))),
      },
      nowMs,
    );
    if (!outcome.admitted) {
      this.#refused += 1;
      return;
    }
    // Where answers may use more than was held for them, use may stand above a limit, and nothing more is admitted then.
    if (!this.#setting.learned && outcome.states.some((state) => state.remaining < 0)) this.#over += 1;
    this.#held += hold.amounts.tokens;
    const open = { tenant, asked, request, hold, id, startedAtMs: nowMs };
    if (this.#setting.settles) this.#open.add(nowMs + answerMs(asked), open);
    else this.#settle(open, nowMs);
  }

  #settle({ tenant, asked, request, hold, id, startedAtMs }: Open, nowMs: number): void {
    const { settles } = this.#setting;
    const usage = settles ? { ...unknownUsage, inputTokens: asked.promptTokens, outputTokens: asked.outputTokens } : unknownUsage;
    const settled = settle({
      hold,
      reached: true,
      failedUpstream: false,
      status: 200,
      usage,
      usageComplete: settles,
      outputEventsSeen: 0,
      price: replayedPrice,
    });
    const receipt = {
      ...intentReceipt(tenant.basis(id, request, hold, startedAtMs)),
      end: "completed" as const,
      status: 200,
      usage: settled.usage,
      usageSource: settled.usageSource,
      chargedTokens: settled.charge.tokens,
      costMicroUsd: settled.charge.microUsd,
      endedAtMs: nowMs,
    };
    if (settles) this.#learning.learn(tenant.id, tenant.permit.model.id, request, settled.usage);
    closeBooks(this.#journal, this.#quota, receipt, { id, tenantId: tenant.id, charge: settled.charge }, nowMs);
    this.#charged += settled.charge.tokens;
    this.#served += asked.promptTokens + asked.outputTokens;
  }

  #result(): Replayed {
    const atMs = beginsMs + (this.#requests.at(-1)?.atMs ?? 0);
    const states = this.#tenants.flatMap((tenant) => this.#quota.inspect(tenant.id, tenant.limits(atMs), atMs));
    const counted = states
      .filter(({ limit }) => limit.setting.name === countingLimit)
      .reduce((sum, { capacity, remaining }) => sum + capacity - remaining, 0);
    const [written] = this.#database.all<{ tokens: number | null }>(
      "SELECT sum(json_extract(document, '$.chargedTokens')) AS tokens FROM receipt",
    );
    const [left] = this.#database.all<{ tokens: number | null }>("SELECT sum(tokens) AS tokens FROM reservation");
    return {
      sent: this.#requests.length,
      refused: this.#refused,
      heldTokens: this.#held,
      chargedTokens: this.#charged,
      servedTokens: this.#served,
      countedTokens: counted,
      journalTokens: written?.tokens ?? 0,
      leftTokens: left?.tokens ?? 0,
      over: this.#over,
    };
  }
}

function meanPerMinute(requests: readonly TraceRequest[]): number {
  const tokens = requests.reduce((sum, { promptTokens, outputTokens }) => sum + promptTokens + outputTokens, 0);
  const forMs = (requests.at(-1)?.atMs ?? 0) - (requests[0]?.atMs ?? 0);
  return (tokens * 60_000) / Math.max(1, forMs);
}
