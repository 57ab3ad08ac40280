import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { csvRow, harmless, microUsdDecimal } from "../../src/ledger/csv.ts";
import { focusColumns, type FocusCharge } from "../../src/ledger/focus-columns.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { unknownUsage } from "../../src/upstream/usage.ts";
import { receipt } from "../stores/samples.ts";
import { readCsv, readRecords } from "./read-csv.ts";

/** Columns of FOCUS 1.2 that are mandatory or recommended, with their data type and whether they may be null. */
const specified: Readonly<Record<string, readonly [type: "String" | "Decimal" | "Date/Time", nullable: boolean]>> = {
  AvailabilityZone: ["String", true],
  BilledCost: ["Decimal", false],
  BillingAccountId: ["String", false],
  BillingAccountName: ["String", true],
  BillingCurrency: ["String", false],
  BillingPeriodEnd: ["Date/Time", false],
  BillingPeriodStart: ["Date/Time", false],
  ChargeCategory: ["String", false],
  ChargeClass: ["String", true],
  ChargeDescription: ["String", true],
  ChargeFrequency: ["String", false],
  ChargePeriodEnd: ["Date/Time", false],
  ChargePeriodStart: ["Date/Time", false],
  ContractedCost: ["Decimal", false],
  EffectiveCost: ["Decimal", false],
  InvoiceId: ["String", true],
  InvoiceIssuerName: ["String", false],
  ListCost: ["Decimal", false],
  PricingQuantity: ["Decimal", true],
  PricingUnit: ["String", true],
  ProviderName: ["String", false],
  PublisherName: ["String", false],
  ServiceCategory: ["String", false],
  ServiceName: ["String", false],
  ServiceSubcategory: ["String", false],
};
/** Of the conditional ones, those whose condition holds here. */
const conditional: typeof specified = {
  ConsumedQuantity: ["Decimal", true],
  ConsumedUnit: ["String", true],
  RegionId: ["String", true],
  RegionName: ["String", true],
};

function charge(more: Partial<Receipt> = {}, parts: Partial<FocusCharge> = {}): FocusCharge {
  return {
    receipt: receipt("req_1", more),
    tenantName: "Acme",
    regionName: "Somewhere",
    maker: "Maker",
    issuer: "Strait",
    resumable: true,
    ...parts,
  };
}

function recordOf(one: FocusCharge): Record<string, string> {
  const [record = {}] = readRecords(
    csvRow(focusColumns.map(({ name }) => name)) + csvRow(focusColumns.map((column) => column.of(one))),
  );
  return record;
}

describe("a receipt in FOCUS 1.2", () => {
  it("has every mandatory and recommended column, under its name and type, each once, and own columns only as x_", () => {
    const types = Object.fromEntries(focusColumns.map(({ name, type }) => [name, type]));
    expect(Object.keys(types)).toHaveLength(focusColumns.length);
    for (const [name, [type]] of Object.entries({ ...specified, ...conditional }))
      expect([name, types[name]]).toEqual([name, type]);
    for (const name of Object.keys(types))
      expect(name in specified || name in conditional || /^x_[a-z_]+$/.test(name)).toBe(true);
  });

  it("keeps to the types and to what must not be null, whatever the receipt knows", () => {
    fc.assert(
      fc.property(anyCharge, (one) => {
        const record = recordOf(one);
        for (const { name, type } of focusColumns) {
          const value = record[name] ?? "";
          const [, nullable] = specified[name] ?? conditional[name] ?? ["", true];
          if (value === "") expect([name, nullable]).toEqual([name, true]);
          else if (type === "Decimal") expect(value).toMatch(/^\d+(\.\d+)?$/);
          else if (type === "Date/Time")
            expect(value).toMatch(
              name.startsWith("x_") ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
            );
        }
        expect(record["ConsumedUnit"] === "").toBe(record["ConsumedQuantity"] === "");
        expect(record["RegionName"] === "").toBe(record["RegionId"] === "");
        const { receipt: of } = one;
        expect(Date.parse(record["ChargePeriodStart"] ?? "")).toBeLessThanOrEqual(of.startedAtMs);
        expect(Date.parse(record["ChargePeriodEnd"] ?? "")).toBeGreaterThan(Math.max(of.startedAtMs, of.endedAtMs));
        expect(Date.parse(record["BillingPeriodStart"] ?? "")).toBeLessThanOrEqual(Date.parse(record["ChargePeriodStart"] ?? ""));
        expect(Date.parse(record["BillingPeriodEnd"] ?? "")).toBeGreaterThan(of.startedAtMs);
      }),
    );
  });

  it("bills the month in UTC in which it began, and says what it cost to the micro-USD", () => {
    const startedAtMs = Date.UTC(2026, 11, 31, 23, 59, 59, 900);
    expect(
      recordOf(charge({ startedAtMs, endedAtMs: startedAtMs + 1_200, costMicroUsd: 1_234_567, chargedTokens: 42 })),
    ).toMatchObject({
      BillingPeriodStart: "2026-12-01T00:00:00Z",
      BillingPeriodEnd: "2027-01-01T00:00:00Z",
      ChargePeriodStart: "2026-12-31T23:59:59Z",
      ChargePeriodEnd: "2027-01-01T00:00:02Z",
      BilledCost: "1.234567",
      EffectiveCost: "1.234567",
      ListCost: "1.234567",
      ContractedCost: "1.234567",
      BillingCurrency: "USD",
      PricingQuantity: "42",
      PricingUnit: "Tokens",
      ChargeCategory: "Usage",
      ServiceCategory: "AI and Machine Learning",
      ServiceSubcategory: "Generative AI",
    });
  });

  it("keeps what is unknown empty, and a zero a zero", () => {
    const record = recordOf(
      charge({ usage: { ...unknownUsage, inputTokens: 7, cachedInputTokens: 0 }, region: undefined, deployment: undefined }),
    );
    expect(record).toMatchObject({
      ConsumedQuantity: "",
      ConsumedUnit: "",
      RegionId: "",
      RegionName: "",
      x_tokens_input: "7",
      x_tokens_cached_input: "0",
      x_tokens_output: "",
    });
  });

  it("names a region and a maker that the catalogue has lost by what is left", () => {
    expect(recordOf(charge({}, { regionName: undefined, maker: undefined, issuer: "Cloud" }))).toMatchObject({
      RegionName: "somewhere",
      PublisherName: "Cloud",
      ProviderName: "Cloud",
    });
  });

  it("has no cursor where it cannot be resumed after", () => {
    expect(recordOf(charge())["x_cursor"]).toMatch(/^c1\./);
    expect(recordOf(charge({}, { resumable: false }))["x_cursor"]).toBe("");
  });

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x","y")'])(
    "runs no formula that somebody else wrote: %j",
    (text) => {
      const record = recordOf(
        charge(
          { modelAsked: text, evidence: { region: text, inferenceGeo: text, servedModel: text, upstreamRequestId: text } },
          { tenantName: text, issuer: text },
        ),
      );
      for (const column of [
        "x_model_asked",
        "x_evidence_region",
        "x_inference_geo",
        "x_served_model",
        "x_upstream_request_id",
        "BillingAccountName",
        "ProviderName",
      ]) {
        expect(record[column]).toBe(`'${text}`);
      }
    },
  );
});

test("any cells come back out of CSV as they went in", () => {
  const cell = fc.oneof(fc.string(), fc.constantFrom('"', ",", "\r\n", "\n", '""', "", "ü€"));
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), { maxLength: 5 }), (rows) => {
      expect(readCsv(rows.map(csvRow).join(""))).toEqual(rows);
    }),
  );
});

test("micro-USD become decimals digit by digit", () => {
  expect([0, 1, 999_999, 1_000_000, 4_350_000, Number.MAX_SAFE_INTEGER, -1].map(microUsdDecimal)).toEqual([
    "0.000000",
    "0.000001",
    "0.999999",
    "1.000000",
    "4.350000",
    "9007199254.740991",
    "-0.000001",
  ]);
  expect(harmless("gpt-5")).toBe("gpt-5");
});

const count = fc.option(fc.nat(), { nil: undefined });
const anyCharge: fc.Arbitrary<FocusCharge> = fc
  .record({
    startedAtMs: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 1, 1) }),
    lastedMs: fc.integer({ min: 0, max: 700_000 }),
    region: fc.constantFrom("somewhere", undefined),
    usage: fc.record({
      inputTokens: count,
      cachedInputTokens: count,
      cacheWriteTokens: count,
      outputTokens: count,
      reasoningTokens: count,
    }),
    status: fc.constantFrom(200, 502, undefined),
    costMicroUsd: fc.nat(),
    known: fc.boolean(),
  })
  .map(({ lastedMs, known, ...more }) =>
    charge(
      { ...more, endedAtMs: more.startedAtMs + lastedMs },
      known ? {} : { tenantName: undefined, regionName: undefined, maker: undefined, resumable: false },
    ),
  );
