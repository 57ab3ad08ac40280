import fc from "fast-check";
import { quarterMs, type UsageDimension, type UsageQuery } from "../../src/ledger/journal-reader.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";

const hourMs = 3_600_000;

export interface DrawnReceipt {
  readonly number: number;
  readonly isMine: boolean;
  readonly receipt: Partial<Receipt>;
}

export interface DrawnStep {
  readonly kind: "begin" | "end" | "wait" | "read";
  readonly number: number;
  readonly byMs: number;
}

const count = fc.option(fc.nat(1_000), { nil: undefined });
// Both of a year's changes of clocks lie in here for most zones, and a leap day.
const someTime = fc.integer({ min: Date.UTC(2024, 1, 25), max: Date.UTC(2024, 10, 10) });
const byClock = fc.oneof(
  someTime,
  fc
    .constantFrom(Date.UTC(2024, 2, 31), Date.UTC(2024, 3, 7), Date.UTC(2024, 8, 8, 4))
    .chain((ms) => fc.integer({ min: ms - 26 * hourMs, max: ms + 26 * hourMs })),
);

const drawnReceipt: fc.Arbitrary<DrawnReceipt> = fc.record({
  number: fc.nat(30),
  isMine: fc.boolean(),
  receipt: fc.record({
    startedAtMs: byClock,
    keyId: fc.constantFrom("k1", "k2"),
    model: fc.constantFrom("m1", "m2"),
    region: fc.constantFrom("sg", "jp", undefined),
    end: fc.constantFrom("completed", "client_cancelled", "unsettled" as const),
    status: fc.constantFrom(200, 429, 502, undefined),
    usage: fc.record(
      {
        inputTokens: count,
        cachedInputTokens: count,
        cacheWriteTokens: count,
        outputTokens: count,
        reasoningTokens: count,
      },
      // An object without a prototype does not pass from one isolate to another.
      { noNullPrototype: true },
    ),
    chargedTokens: fc.nat(2_000),
    costMicroUsd: fc.nat(10 ** 9),
  }),
});

/** Each id once: which of two concurrent reports comes first is nobody's to say. */
export const batch: fc.Arbitrary<DrawnReceipt[]> = fc.uniqueArray(drawnReceipt, {
  minLength: 1,
  maxLength: 12,
  selector: ({ number, isMine }) => `${number} ${isMine}`,
});

const dimensions: readonly UsageDimension[] = ["day", "model", "key", "region", "end"];
const quarters = byClock.map((ms) => Math.floor(ms / quarterMs) * quarterMs);
// Some have their summer time begin at midnight, some are off by a quarter, some are on the other side of the date line.
const zones = [
  "UTC",
  "Asia/Shanghai",
  "Europe/Berlin",
  "America/Santiago",
  "Africa/Cairo",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Kiritimati",
  "America/St_Johns",
];

export const question: fc.Arbitrary<Pick<UsageQuery, "by" | "timeZone" | "fromMs" | "toMs">> = fc
  .record({
    by: fc.subarray([...dimensions]),
    timeZone: fc.constantFrom(...zones),
    one: quarters,
    other: quarters,
    whole: fc.boolean(),
  })
  .map(({ by, timeZone, one, other, whole }) => {
    const [fromMs, toMs] = whole
      ? [Date.UTC(2024, 1, 1), Date.UTC(2024, 11, 1)]
      : [Math.min(one, other), Math.max(one, other) + quarterMs];
    return { by, timeZone, fromMs, toMs };
  });

export const step: fc.Arbitrary<DrawnStep> = fc.record({
  kind: fc.constantFrom("begin", "begin", "end", "end", "wait", "read"),
  number: fc.nat(100),
  byMs: fc.nat(hourMs),
});
