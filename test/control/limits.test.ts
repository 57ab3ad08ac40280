import { describe, expect, test } from "vitest";
import { bucketCeilingLimit, calendarCeilingLimit } from "../../src/control/limits.ts";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import { control } from "./control-fixture.ts";
import type { Fixture } from "./control-fixture.ts";

async function withTenant(overrides: Parameters<typeof control>[0] = {}): Promise<Fixture> {
  const fixture = control(overrides);
  await fixture.call("POST", "/tenants", { id: "acme", name: "Acme" });
  return fixture;
}

const minute = { name: "a", unit: "tokens", window: "minute", ceiling: 10 };
const none = { burst: null, key: null, model: null, tier: null, endUser: null, shadow: false, slices: false, onOutage: "refuse" };

describe("setting limits", () => {
  test("replaces them all, resolves a model's alias, and can be sent back as it was shown", async () => {
    const { call, directory } = await withTenant();
    const { id: keyId } = (await call("POST", "/tenants/acme/keys", { name: "app" })).json;
    const limits = [
      { ...minute, burst: 50, slices: true, onOutage: "allow-local" },
      { name: "b", unit: "concurrent", window: "open", ceiling: 0, key: "each" },
      { name: "c", unit: "micro_usd", window: "month", ceiling: calendarCeilingLimit, key: keyId },
      { name: "d", unit: "requests", window: "day", ceiling: 5, model: "gpt-5-latest" },
      { name: "e", unit: "tokens", window: "minute", ceiling: bucketCeilingLimit, model: "each", key: "oidc:0123456789abcdef" },
      { name: "f", unit: "input_tokens", window: "minute", ceiling: 7, tier: "frontier", endUser: "each", shadow: true },
      { name: "g", unit: "output_tokens", window: "day", ceiling: 7, tier: "each", endUser: "u_0123456789abcdef0123" },
    ];
    const set = await call("PUT", "/tenants/acme/limits", { limits });
    expect(set.status).toBe(200);
    const [first, second, third, fourth, fifth, sixth, seventh] = limits;
    expect(set.json["limits"]).toEqual([
      { ...none, ...first },
      { ...none, ...second },
      { ...none, ...third },
      { ...none, ...fourth, model: "gpt-5" },
      { ...none, ...fifth },
      { ...none, ...sixth },
      { ...none, ...seventh },
    ]);
    const shown = await call("GET", "/tenants/acme/limits");
    expect(shown.json).toEqual(set.json);
    const revision = shown.headers.get("etag");
    expect((await call("PUT", "/tenants/acme/limits", shown.json)).headers.get("etag")).toBe(revision);
    expect(directory.audits[0]).toMatchObject({
      action: "limits.set",
      detail: { to: [{ name: "a", burst: 50 }, {}, {}, {}, {}, {}, {}] },
    });
    expect(directory.find("acme")?.limits[0]).toEqual({
      ...minute,
      burst: 50,
      key: undefined,
      model: undefined,
      slices: true,
      onOutage: "allow-local",
    });
  });

  test.each<[string, object[], number, string[]]>([
    ["concurrent in a minute", [{ ...minute, unit: "concurrent" }], 422, ["/limits/0/window"]],
    ["open for tokens", [{ ...minute, window: "open" }], 422, ["/limits/0/window"]],
    ["a local allowance without slices", [{ ...minute, onOutage: "allow-local" }], 422, ["/limits/0/onOutage"]],
    ["a burst of a day", [{ ...minute, window: "day", burst: 5 }], 422, ["/limits/0/burst"]],
    ["a burst of nothing", [{ ...minute, burst: 0 }], 422, ["/limits/0/burst"]],
    ["a burst beyond what is exact", [{ ...minute, burst: bucketCeilingLimit + 1 }], 422, ["/limits/0/burst"]],
    ["a ceiling beyond what is exact in a bucket", [{ ...minute, ceiling: bucketCeilingLimit + 1 }], 422, ["/limits/0/ceiling"]],
    [
      "a ceiling beyond what is exact",
      [{ ...minute, window: "day", ceiling: calendarCeilingLimit + 2 }],
      400,
      ["/limits/0/ceiling"],
    ],
    ["a negative ceiling", [{ ...minute, ceiling: -1 }], 400, ["/limits/0/ceiling"]],
    ["a fraction", [{ ...minute, ceiling: 1.5 }], 400, ["/limits/0/ceiling"]],
    ["one name twice", [minute, { ...minute, unit: "requests" }], 422, ["/limits/1/name"]],
    ["a name that could name another's counter", [{ ...minute, name: "a|key=x" }], 422, ["/limits/0/name"]],
    ["a key that is not the tenant's", [{ ...minute, key: "zzzzzzzz" }], 422, ["/limits/0/key"]],
    ["a model that is not known", [{ ...minute, model: "gpt-6" }], 422, ["/limits/0/model"]],
    ["a tier that no model has", [{ ...minute, tier: "fronteir" }], 422, ["/limits/0/tier"]],
    ["an end user by name, which no counter may bear", [{ ...minute, endUser: "anna@example.com" }], 422, ["/limits/0/endUser"]],
    ["a unit that is not known", [{ ...minute, unit: "usd" }], 400, ["/limits/0/unit"]],
    [
      "two at once",
      [
        { ...minute, window: "open" },
        { ...minute, name: "b", burst: 0 },
      ],
      422,
      ["/limits/0/window", "/limits/1/burst"],
    ],
  ])("refuses %s and leaves what was", async (_, limits, status, pointers) => {
    const { call, directory } = await withTenant();
    const before = directory.find("acme");
    const answer = await call("PUT", "/tenants/acme/limits", { limits });
    expect(answer.status).toBe(status);
    expect((answer.json["problems"] as unknown as { pointer: string }[]).map((problem) => problem.pointer)).toEqual(pointers);
    expect(directory.find("acme")).toEqual(before);
  });

  test("refuses more than are decided in one transaction", async () => {
    const { call } = await withTenant();
    const limits = Array.from({ length: 65 }, (_, index) => ({ ...minute, name: `limit-${index}` }));
    expect((await call("PUT", "/tenants/acme/limits", { limits })).status).toBe(400);
    expect((await call("PUT", "/tenants/acme/limits", { limits: limits.slice(1) })).status).toBe(200);
  });

  test("says in the audit what changed, and nothing of what stayed", async () => {
    const { call, directory } = await withTenant();
    const other = { ...minute, name: "b" };
    await call("PUT", "/tenants/acme/limits", { limits: [minute, other, { ...minute, name: "c" }] });
    await call("PUT", "/tenants/acme/limits", { limits: [{ ...minute, ceiling: 20 }, other] });
    expect(directory.audits[0]?.detail).toEqual({ from: [minute, { ...minute, name: "c" }], to: [{ ...minute, ceiling: 20 }] });
  });

  test("takes none at all, where an operator says so", async () => {
    const { call } = await withTenant();
    expect((await call("PUT", "/tenants/acme/limits", { limits: [] })).json).toEqual({ limits: [] });
  });
});

describe("showing how far limits are used", () => {
  const inspected: AppliedLimit[][] = [];
  const inspectLimits = async (
    _: string,
    limits: readonly AppliedLimit[],
  ): ReturnType<NonNullable<Parameters<typeof control>[0]>["inspectLimits"] & {}> => {
    inspected.push([...limits]);
    return limits.map((limit) => ({ limit, capacity: 10, remaining: 7, resetMs: 1_500 }));
  };

  test("asks the store for the counters that are known, and for those of a key and model that are named", async () => {
    const { call } = await withTenant({ inspectLimits });
    const limits = [
      minute,
      { ...minute, name: "b", key: "each" },
      { ...minute, name: "c", key: "each", model: "each" },
      { ...minute, name: "d", model: "gpt-5" },
    ];
    await call("PUT", "/tenants/acme/limits", { limits });
    const use = await call("GET", "/tenants/acme/limits/use");
    expect(use.json["use"]).toEqual(
      ["a", "d|model=gpt-5"].map((counter) => {
        return {
          name: counter[0],
          unit: "tokens",
          window: "minute",
          counter,
          capacity: 10,
          remaining: 7,
          resetMs: 1_500,
          near: false,
          shadow: false,
        };
      }),
    );
    await call("GET", "/tenants/acme/limits/use?key=k1");
    await call("GET", "/tenants/acme/limits/use?key=k1&model=gpt-5-latest");
    const counters = inspected.map((applied) => applied.map((limit) => limit.counter));
    expect(counters.slice(1)).toEqual([
      ["a", "b|key=k1", "d|model=gpt-5"],
      ["a", "b|key=k1", "c|key=k1|model=gpt-5", "d|model=gpt-5"],
    ]);
    expect((await call("GET", "/tenants/acme/limits/use?model=gpt-6")).status).toBe(400);
  });

  test("finds an end user's counter by name or by hash, and a model's tier by the model", async () => {
    inspected.length = 0;
    const { call } = await withTenant({ inspectLimits });
    const limits = [
      { ...minute, name: "b", endUser: "each" },
      { ...minute, name: "c", tier: "each" },
      { ...minute, name: "d", tier: "frontier" },
    ];
    await call("PUT", "/tenants/acme/limits", { limits });
    await call("GET", "/tenants/acme/limits/use?endUser=anna%40example.com");
    const hash = inspected[0]?.[0]?.counter.slice("b|user=".length) ?? "";
    expect(hash).toMatch(/^u_[0-9a-f]{20}$/);
    await call("GET", `/tenants/acme/limits/use?endUser=${hash}&tier=standard`);
    await call("GET", "/tenants/acme/limits/use?model=claude-opus");
    expect(inspected.map((applied) => applied.map((limit) => limit.counter))).toEqual([
      [`b|user=${hash}`, "d|tier=frontier"],
      [`b|user=${hash}`, "c|tier=standard", "d|tier=frontier"],
      ["c|tier=frontier", "d|tier=frontier"],
    ]);
  });

  test("says which are nearly used up, and which only watch", async () => {
    const { call } = await withTenant({
      inspectLimits: async (_, limits) => limits.map((limit) => ({ limit, capacity: 10, remaining: 2, resetMs: 1 })),
    });
    await call("PUT", "/tenants/acme/limits", { limits: [{ ...minute, shadow: true }] });
    expect((await call("GET", "/tenants/acme/limits/use")).json["use"]).toMatchObject([{ near: true, shadow: true }]);
  });

  test("counts days in the tenant's time zone", async () => {
    inspected.length = 0;
    const { call } = await withTenant({ inspectLimits });
    expect((await call("PATCH", "/tenants/acme", { timeZone: "Asia/Singapur" })).status).toBe(422);
    expect((await call("PATCH", "/tenants/acme", { timeZone: "+08:00" })).status).toBe(422);
    expect((await call("PATCH", "/tenants/acme", { timeZone: "Asia/Singapore" })).json["timeZone"]).toBe("Asia/Singapore");
    await call("PUT", "/tenants/acme/limits", { limits: [{ ...minute, window: "day" }] });
    await call("GET", "/tenants/acme/limits/use");
    expect(new Date(inspected[0]?.[0]?.periods[1]?.startMs ?? 0).toISOString()).toBe("2026-11-22T16:00:00.000Z");
  });

  test("is not served where the store cannot tell", async () => {
    const { call } = await withTenant();
    expect((await call("GET", "/tenants/acme/limits/use")).status).toBe(404);
  });
});
