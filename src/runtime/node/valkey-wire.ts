import { amountOf, capacityOf, counterKey, judge, scopeOf, standing, type CounterState } from "../../quota/counter.ts";
import { isPassing, type Amounts, type AppliedLimit } from "../../quota/limit.ts";
import type { Judged } from "../../quota/outcome.ts";
import type { Period } from "../../tenant/periods.ts";
import type { LimitState } from "../../quota/store.ts";
import { tenantIdPattern } from "../../tenant/key.ts";
import type { LimitSetting, LimitUnit, LimitWindow } from "../../tenant/limit-setting.ts";

/** How the gateway and `valkey-*.lua` speak: the codes, rows and replies of both are here and there alone. */
export const status = { refused: 0, admitted: 1, late: 2, duplicate: 3, notWhole: 4 } as const;

/** What became of a settlement. */
export const settling = { unknown: 0, settled: 1, busy: 2 } as const;

/** A number of values before those of each limit: status, time in milliseconds, epoch in microseconds. */
const headLength = 3;
/** Used, held, mark and end. */
const stateLength = 4;

const windowCodes: Readonly<Record<LimitWindow, number>> = { minute: 1, day: 2, month: 2, open: 3 };
const unitCodes: Readonly<Record<LimitUnit, number>> = {
  requests: 1,
  tokens: 2,
  input_tokens: 3,
  output_tokens: 4,
  micro_usd: 5,
  concurrent: 6,
};

/**
 * Enough that a cluster's nodes share them evenly, few enough that a sweep asks each. Never to be changed: a tenant would
 * be looked for where it is not.
 */
export const bucketCount = 256;

const bases: readonly string[] = Array.from(
  { length: bucketCount },
  (_, bucket) => `strait:{q${bucket.toString(16).padStart(2, "0")}}`,
);

/** The key that all keys of a bucket begin with, with the hash tag that puts them into one slot. */
export function baseOf(bucket: number): string {
  const base = bases[bucket];
  if (base === undefined) throw new RangeError(`There is no bucket ${bucket}.`);
  return base;
}

/** FNV-1a of the tenant's id. */
export function bucketOf(tenantId: string): number {
  // A blank or a colon would make one tenant's keys look like another's.
  if (!tenantIdPattern.test(tenantId)) throw new RangeError("Not a tenant's id.");
  let hash = 0x811c9dc5;
  for (let index = 0; index < tenantId.length; index++) hash = Math.imul(hash ^ tenantId.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}

interface Head {
  readonly counter: string;
  readonly text: string;
}

// Settings and tables of periods live as long as the directory's entry and the day: most requests find both here.
const heads = new WeakMap<LimitSetting, Head>();
const tables = new WeakMap<readonly Period[], string>();

/** Limits as JSON rows; `undefined` asks nothing of them. */
export function limitRows(limits: readonly AppliedLimit[], hold: Amounts | undefined): string {
  let rows = "";
  for (const limit of limits) {
    const asked = hold === undefined ? 0 : amountOf(limit.setting.unit, hold);
    if (windowCodes[limit.setting.window] === windowCodes.day && limit.periods.length === 0)
      throw new RangeError("A limit by the day or month needs its periods.");
    rows += `${rows === "" ? "" : ","}[${headOf(limit)},${asked},${tableOf(limit.periods)}]`;
  }
  return `[${rows}]`;
}

function headOf(limit: AppliedLimit): string {
  const { setting, counter } = limit;
  const known = heads.get(setting);
  if (known?.counter === counter) return known.text;
  const scope = scopeOf(limit);
  const row = [
    scope,
    counterKey(setting),
    windowCodes[setting.window],
    capacityOf(setting),
    setting.ceiling,
    unitCodes[setting.unit],
    setting.shadow === true ? 1 : 0,
    isPassing(scope) ? 1 : 0,
  ];
  const text = JSON.stringify(row).slice(1, -1);
  heads.set(setting, { counter, text });
  return text;
}

function tableOf(periods: readonly Period[]): string {
  let text = tables.get(periods);
  if (text === undefined) {
    text = JSON.stringify(periods.flatMap(({ label, startMs, endMs }) => [label, startMs, endMs]));
    tables.set(periods, text);
  }
  return text;
}

/** What a library's function answered. */
export type ValkeyReply = readonly (number | string)[];

export function numberAt(reply: ValkeyReply, index: number): number {
  const value = reply[index];
  if (typeof value !== "number") throw new TypeError(`Valkey's answer has no number at ${index}.`);
  return value;
}

export function textAt(reply: ValkeyReply, index: number): string {
  const value = reply[index];
  if (typeof value !== "string") throw new TypeError(`Valkey's answer has no text at ${index}.`);
  return value;
}

export function nowMsOf(reply: ValkeyReply): number {
  return numberAt(reply, 1);
}

export function epochOf(reply: ValkeyReply): number {
  return numberAt(reply, 2);
}

/** What stands after the head, cut into pieces of one length. */
export function piecesOf(reply: ValkeyReply, length: number): ValkeyReply[] {
  const pieces: ValkeyReply[] = [];
  for (let at = headLength; at < reply.length; at += length) pieces.push(reply.slice(at, at + length));
  return pieces;
}

/** The limits as the server's function left them, in the order asked. */
export function statesOf(reply: ValkeyReply, limits: readonly AppliedLimit[]): LimitState[] {
  const nowMs = nowMsOf(reply);
  return limits.map((limit, index) => ({ limit, ...standing(counterAt(reply, index, limit.setting), limit.setting, nowMs) }));
}

/** The server says that it refused; why and until when is worked out here as for every other store. */
export function judgedOf(reply: ValkeyReply, limits: readonly AppliedLimit[], hold: Amounts): Judged[] {
  const nowMs = nowMsOf(reply);
  return limits.map((limit, index) => {
    const { setting } = limit;
    const counter = counterAt(reply, index, setting);
    const asked = amountOf(setting.unit, hold);
    return { state: { limit, ...standing(counter, setting, nowMs) }, asked, verdict: judge(counter, setting, asked, nowMs) };
  });
}

/** The period that each limit was counted in; 0 where it has none. */
export function marksOf(reply: ValkeyReply, limits: readonly AppliedLimit[]): number[] {
  return limits.map(({ setting }, index) =>
    windowCodes[setting.window] === windowCodes.day ? counterAt(reply, index, setting).mark : 0,
  );
}

function counterAt(reply: ValkeyReply, index: number, setting: LimitSetting): CounterState {
  const at = headLength + index * stateLength;
  return {
    used: numberAt(reply, at),
    held: numberAt(reply, at + 1),
    mark: numberAt(reply, at + 2),
    rate: setting.ceiling,
    endsMs: numberAt(reply, at + 3),
  };
}
