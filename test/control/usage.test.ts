import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { control } from "./control-fixture.ts";
import { usageControl, type UsageFixture } from "./usage-fixture.ts";

const hourMs = 3_600_000;
const now = Date.parse("2026-11-23T12:00:00Z");

let api: UsageFixture;
beforeEach(async () => {
  api = await usageControl();
});
afterEach(() => api.close());

describe("usage across tenants", () => {
  it("is summed by what is asked, in order, with a total, and shows unknown regions as null", async () => {
    await api.write(
      { tenantId: "acme", model: "gpt-5", costMicroUsd: 5 },
      {
        tenantId: "acme",
        model: "gpt-5",
        region: undefined,
        status: 502,
        end: "upstream_failed",
        costMicroUsd: 0,
        chargedTokens: 0,
      },
      { tenantId: "zeta", model: "gpt-5", costMicroUsd: 7, startedAtMs: now - 24 * hourMs },
    );
    const { status, json } = await api.call("GET", "/usage?by=tenant,region,day");
    expect(status).toBe(200);
    expect(json).toMatchObject({
      from: "2026-11-01T00:00:00.000Z",
      to: "2026-11-23T12:15:00.000Z",
      timeZone: "UTC",
      by: ["tenant", "region", "day"],
      usage: [
        { tenant: "acme", region: null, day: "2026-11-23", requests: 1, refused: 1, costMicroUsd: 0 },
        {
          tenant: "acme",
          region: "somewhere",
          day: "2026-11-23",
          requests: 1,
          refused: 0,
          costMicroUsd: 5,
          inputTokens: 10,
          unknown: { reasoningTokens: 1, inputTokens: 0 },
        },
        { tenant: "zeta", region: "somewhere", day: "2026-11-22", requests: 1, costMicroUsd: 7 },
      ],
      total: { requests: 3, refused: 1, costMicroUsd: 12, chargedTokens: 20 },
    });
  });

  it("is one tenant's where it is named, in days of its own time zone, and nobody's where there is no such tenant", async () => {
    await api.call("POST", "/tenants", { id: "sydney", name: "Sydney", timeZone: "Australia/Sydney" });
    await api.write({ tenantId: "sydney", startedAtMs: Date.parse("2026-11-22T13:30:00Z") }, { tenantId: "acme" });
    const { json } = await api.call("GET", "/usage?tenant=sydney");
    expect(json).toMatchObject({
      timeZone: "Australia/Sydney",
      usage: [{ day: "2026-11-23", requests: 1 }],
      total: { requests: 1 },
    });
    const { json: inUtc } = await api.call("GET", "/usage?tenant=sydney&time_zone=UTC");
    expect(inUtc).toMatchObject({ usage: [{ day: "2026-11-22" }] });
    expect((await api.call("GET", "/usage?tenant=nobody")).status).toBe(404);
  });

  it("says of each parameter that is wrong what to write instead", async () => {
    const { status, json } = await api.call("GET", "/usage?from=soon&by=colour&time_zone=UTC");
    expect(status).toBe(400);
    expect(json).toMatchObject({
      problems: [
        { parameter: "from", detail: expect.stringMatching(/^Write a day such as 2026-11-01/) },
        { parameter: "by", detail: "Write a list, each once, of day, tenant, model, key, region, end." },
      ],
    });
  });

  it("is refused where the store is away, and not served where there is none that can be read", async () => {
    const reader = {
      usage: () => Promise.reject(new StoreUnavailable("away")),
      scan: () => Promise.reject(new StoreUnavailable("away")),
      scanRefusals: () => Promise.reject(new StoreUnavailable("away")),
      completeUntilMs: async () => 0,
    };
    const broken = control({ reader });
    expect((await broken.call("GET", "/usage")).status).toBe(503);
    expect((await broken.call("GET", "/usage/export?format=jsonl")).status).toBe(503);
    expect((await control().call("GET", "/usage")).status).toBe(404);
  });
});

describe("counters beside the journal", () => {
  const limits = (): Promise<unknown> =>
    api.call("PUT", "/tenants/acme/limits", {
      limits: [
        { name: "tokens-a-day", unit: "tokens", window: "day", ceiling: 10_000 },
        { name: "usd-a-month", unit: "micro_usd", window: "month", ceiling: 1_000_000 },
        { name: "requests-each-key", unit: "requests", window: "day", ceiling: 100, key: "each" },
        { name: "tokens-frontier", unit: "tokens", window: "day", ceiling: 10_000, tier: "frontier" },
        { name: "input-a-day", unit: "input_tokens", window: "day", ceiling: 10_000 },
        { name: "tokens-a-minute", unit: "tokens", window: "minute", ceiling: 10_000 },
      ],
    });

  it("are equal to it with what is in flight, for every key, tier and window", async () => {
    await limits();
    await api.exchange("k1", "gpt-5", { tokens: 30, microUsd: 7 });
    await api.exchange("k2", "gpt-4.1-mini", { tokens: 11, microUsd: 2 });
    await api.exchange("k2", "gpt-5", undefined);
    const { status, json } = await api.call("GET", "/tenants/acme/reconciliation");
    expect(status).toBe(200);
    const shown = (json as unknown as { counters: Record<string, unknown>[] }).counters.map(
      ({ counter: name, counted, journal, inFlight, difference, verdict, since }) => [
        name,
        counted,
        journal,
        inFlight,
        difference,
        verdict,
        since,
      ],
    );
    const [today, month] = ["2026-11-23T00:00:00.000Z", "2026-11-01T00:00:00.000Z"];
    expect(shown).toEqual([
      ["tokens-a-day", 141, 41, 100, 0, "equal", today],
      ["requests-each-key|key=k1", 1, 1, 0, 0, "equal", today],
      ["requests-each-key|key=k2", 2, 1, 1, 0, "equal", today],
      ["tokens-frontier|tier=frontier", 130, 30, 100, 0, "equal", today],
      ["usd-a-month", 59, 9, 50, 0, "equal", month],
    ]);
    expect(json).toMatchObject({ left: [{ limit: "input-a-day", reason: expect.stringMatching(/input and output together/) }] });
  });

  it("differ by what was settled and never recorded, and by what was recorded and never held", async () => {
    await limits();
    await api.exchange("k1", "gpt-5", { tokens: 30, microUsd: 7, isRecorded: false });
    await api.write({ keyId: "k2", model: "gpt-4.1-mini", chargedTokens: 5, costMicroUsd: 3 });
    const { json } = await api.call("GET", "/tenants/acme/reconciliation");
    const shown = (json as unknown as { counters: Record<string, unknown>[] }).counters.map(
      ({ counter: name, difference, verdict }) => [name, difference, verdict],
    );
    expect(shown).toEqual([
      ["tokens-a-day", 25, "differs"],
      ["requests-each-key|key=k2", -1, "differs"],
      ["tokens-frontier|tier=frontier", 30, "differs"],
      ["usd-a-month", 4, "differs"],
    ]);
  });

  it("may have what began right before midnight and was admitted after it", async () => {
    await limits();
    await api.exchange("k1", "gpt-5", { tokens: 30, microUsd: 7 }, Date.parse("2026-11-22T23:59:59.990Z"));
    const { json } = await api.call("GET", "/tenants/acme/reconciliation");
    expect((json as unknown as { counters: Record<string, unknown>[] }).counters[0]).toMatchObject({
      counter: "tokens-a-day",
      difference: 30,
      verdict: "boundary",
    });
  });

  it("are no difference while they move", async () => {
    let looks = 0;
    const moving = await usageControl({
      inspectLimits: async (_, asked) => asked.map((limit) => ({ limit, capacity: 1_000, remaining: 900 - looks++, resetMs: 0 })),
    });
    try {
      const { json } = await moving.call("GET", "/tenants/acme/reconciliation");
      const verdicts = (json as unknown as { counters: { verdict: string }[] }).counters.map(({ verdict }) => verdict);
      expect(verdicts.length).toBeGreaterThan(0);
      expect(new Set(verdicts)).toEqual(new Set(["moving"]));
    } finally {
      moving.close();
    }
  });
});

describe("the routes of usage", () => {
  const paths = ["/usage", "/usage/export?format=jsonl", "/tenants/acme/reconciliation"];

  it.each(paths)("demand the operator key: %s", async (path) => {
    expect((await api.app.request(`/control/v1${path}`)).status).toBe(401);
    expect((await api.app.request(`/control/v1${path}`, { headers: { authorization: "Bearer sk-strait-acme" } })).status).toBe(
      401,
    );
    expect((await api.raw(path)).status).toBe(200);
  });

  it("are described, with what they take and give", async () => {
    const described = (
      (await api.call("GET", "/openapi.json")).json as unknown as {
        paths: Record<string, { get?: { responses: Record<string, { content: object }>; parameters: { name: string }[] } }>;
      }
    ).paths;
    const of = (path: string): string[] => described[`/control/v1${path}`]?.get?.parameters.map(({ name }) => name) ?? [];
    expect(of("/usage")).toEqual(["from", "to", "time_zone", "tenant", "by"]);
    expect(of("/usage/export")).toEqual([
      "from",
      "to",
      "time_zone",
      "tenant",
      "format",
      "kind",
      "after",
      "settled",
      "header",
      "issuer",
    ]);
    expect(Object.keys(described["/control/v1/usage/export"]?.get?.responses["200"]?.content ?? {})).toEqual([
      "text/csv",
      "application/x-ndjson",
    ]);
    expect(of("/tenants/{tenantId}/reconciliation")).toEqual(["tenantId"]);
  });
});
