import { tenantIdPattern } from "../tenant/key.ts";
import type { Receipt, RefusalReceipt } from "./receipt.ts";
import type { UsageRow } from "./usage-sums.ts";

/**
 * The reading side of the journal, for bills and reports. Apart from `Journal`, which stands on every request's path: an
 * adapter may read from a copy, and what it reads may be long.
 *
 * A receipt belongs to the period in which its exchange began. It is written when the exchange ends, so receipts of a
 * time that is over may still come; `completeUntilMs` tells up to where none do.
 */
export interface JournalReader {
  /** Receipts of a period in the order of `positionOf`: the first `count` of those that stand after `after`. */
  scan(query: ScanQuery): Promise<readonly Receipt[]>;
  /**
   * Sums over a period, as of one moment, in no order; groups without a receipt are left out. Throws `TooManyGroups`
   * past `most`, rather than to fill the memory.
   */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  /**
   * Every exchange that began before this time and was admitted has its receipt in the journal, whichever process served
   * it: a cursor before it loses nothing, however often it is resumed from. A receipt there may still be `unsettled`, and
   * give way to one that knows more.
   */
  completeUntilMs(): Promise<number>;
  /**
   * Records of what was refused before anything was held, as `scan` gives receipts, by the time that their ids begin with.
   * `undefined` where they are told of one tenant at a time, and none is named.
   */
  scanRefusals(query: ScanQuery): Promise<readonly RefusalReceipt[] | undefined>;
}

export interface ScanQuery {
  /** `undefined`: of all tenants. */
  readonly tenantId: string | undefined;
  readonly fromMs: number;
  /** The first millisecond that is not in the period. */
  readonly toMs: number;
  readonly after: Position | undefined;
  readonly count: number;
}

export const usageDimensions = ["day", "tenant", "model", "key", "region", "end"] as const;
export type UsageDimension = (typeof usageDimensions)[number];

export interface UsageQuery {
  readonly tenantId: string | undefined;
  /** Both multiples of `quarterMs`: sums are kept a quarter of an hour, which every time zone's midnight falls on. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly by: readonly UsageDimension[];
  /** IANA name, where days begin and end. */
  readonly timeZone: string;
  /** The most groups that are given. */
  readonly most: number;
}

export const quarterMs: number = 15 * 60_000;

/** How long after its beginning a request may be admitted: its body may take minutes, and clocks of replicas differ. */
export const longestAdmissionMs: number = 10 * 60_000;

/** What is held for a request whose receipt is still to come. */
export interface OpenReservation {
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly startedAtMs: number;
  readonly tokens: number;
  readonly microUsd: number;
}

/** Tells what is held, for those who compare counters with the journal. */
export interface ReservationReader {
  /** Those of one tenant whose receipt is not yet in the journal. */
  open(tenantId: string): Promise<readonly OpenReservation[]>;
}

export class TooManyGroups extends Error {
  override readonly name = "TooManyGroups";
  readonly most: number;

  constructor(most: number) {
    super(`more than ${most} groups`);
    this.most = most;
  }
}

/** Where a receipt stands in the journal's total order: by beginning, then by id, then by tenant. */
export interface Position {
  readonly startedAtMs: number;
  readonly requestId: string;
  readonly tenantId: string;
}

export function positionOf({ startedAtMs, requestId, tenantId }: Position): Position {
  return { startedAtMs, requestId, tenantId };
}

/** A position as clients keep it. They take it as it is; that it begins with a letter makes it safe in a spreadsheet. */
export function showCursor({ startedAtMs, requestId, tenantId }: Position): string {
  return `c1.${startedAtMs.toString(36)}.${tenantId}.${requestId}`;
}

/** `undefined` where the text is no cursor. */
export function readCursor(text: string): Position | undefined {
  const [, time = "", tenantId = "", requestId = ""] = /^c1\.([0-9a-z]{1,11})\.([^.]+)\.([A-Za-z0-9_-]{1,100})$/.exec(text) ?? [];
  const startedAtMs = Number.parseInt(time, 36);
  if (!Number.isSafeInteger(startedAtMs) || !tenantIdPattern.test(tenantId)) return undefined;
  return { startedAtMs, requestId, tenantId };
}
