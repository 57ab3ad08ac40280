import { describe, expect, test } from "vitest";
import type { Catalogue, Deployment } from "../../src/region/catalogue.ts";
import { catalogueOf, deployment, price, region } from "../support/catalogue.ts";
import { control } from "./control-fixture.ts";

const dear = { ...price, inputMicroUsdPerMillion: 9_000_000 };
const later: Deployment = deployment("later", {
  region: region("sea", "SG"),
  laterPrices: [
    { effectiveFromMs: Date.parse("2026-11-01T00:00:00Z"), price: dear },
    {
      effectiveFromMs: Date.parse("2027-01-01T00:00:00Z"),
      price: { ...price, longContext: { aboveInputTokens: 200_000, rates: dear }, serviceTiers: { priority: dear } },
    },
  ],
});
const priced: Catalogue = catalogueOf([later, deployment("plain", { region: region("swe", "SE") })]);
const shown = {
  cachedInput: 500_000,
  cacheWrite: 2_500_000,
  cacheWriteLong: null,
  output: 8_000_000,
  reasoning: null,
  audioInput: null,
  audioOutput: null,
  imageInput: null,
};

describe("prices", () => {
  test("are shown as they are now, with when they began and will end", async () => {
    const { call } = control({ catalogue: () => priced });
    const { status, json } = await call("GET", "/prices");
    expect(status).toBe(200);
    expect(json["prices"]).toEqual([
      {
        deployment: "sea/later",
        model: "gpt-test",
        region: "sea",
        effectiveFrom: "2026-11-01T00:00:00.000Z",
        effectiveTo: "2027-01-01T00:00:00.000Z",
        input: 9_000_000,
        ...shown,
        longContext: null,
        serviceTiers: {},
      },
      {
        deployment: "swe/plain",
        model: "gpt-test",
        region: "swe",
        effectiveFrom: null,
        effectiveTo: null,
        input: 2_000_000,
        ...shown,
        longContext: null,
        serviceTiers: {},
      },
    ]);
  });

  test("are shown as they were or will be at another time, tiers and all", async () => {
    const { call } = control({ catalogue: () => priced });
    const at = async (time: string): Promise<unknown> =>
      (await call("GET", `/prices?at=${encodeURIComponent(time)}`)).json["prices"]?.[0];
    expect(await at("2026-10-31T23:59:59Z")).toMatchObject({
      effectiveFrom: null,
      effectiveTo: "2026-11-01T00:00:00.000Z",
      input: 2_000_000,
    });
    expect(await at("2027-01-01T08:00:00+08:00")).toMatchObject({
      effectiveFrom: "2027-01-01T00:00:00.000Z",
      effectiveTo: null,
      longContext: { aboveInputTokens: 200_000, input: 9_000_000, ...shown },
      serviceTiers: { priority: { input: 9_000_000, ...shown, longContext: null } },
    });
  });

  test("are those of one model where one is named, and of none that is not known", async () => {
    const { call } = control({ catalogue: () => priced });
    expect((await call("GET", "/prices?model=gpt-test")).json["prices"]).toHaveLength(2);
    const refused = await call("GET", "/prices?model=gpt-tset");
    expect([refused.status, refused.json["problems"]?.[0]?.["parameter"]]).toEqual([400, "model"]);
    expect((await call("GET", "/prices?at=yesterday")).status).toBe(400);
  });
});
