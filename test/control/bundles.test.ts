import { describe, expect, it } from "vitest";
import { builtBundle, bundleText, key, keysOf, otherKey } from "../bundle/bundle-fixture.ts";
import { bundleLoading, type TestLoading } from "./bundle-loading.ts";
import { control, type Fixture } from "./control-fixture.ts";

const keys = await keysOf(key);
const nowMs = Date.parse("2026-11-23T12:00:00Z");
const laterMs = nowMs + 60_000;
const path = "/policy/bundles";

async function gateway(): Promise<Fixture & TestLoading> {
  const loading = bundleLoading(keys, [{ path: "regions/bundles/base.json", text: await bundleText("base") }]);
  return { ...loading, ...control({ loading: loading.loading, policies: loading.shelf }) };
}

describe("POST /policy/bundles", () => {
  it("keeps a signed bundle with who and why, says where it comes from, and again changes nothing", async () => {
    const { call, audits } = await gateway();
    const text = await bundleText("next", { from: laterMs });
    const first = await call("POST", `${path}?by=desk&reason=as+told`, text);
    const again = await call("POST", path, text);
    expect([first.status, again.status]).toEqual([201, 200]);
    const { digest } = builtBundle("next", { from: laterMs });
    const identity = { digest, version: "next", shadow: false, effectiveFrom: "2026-11-23T12:01:00.000Z", effectiveTo: null };
    expect([first.json, again.json]).toEqual([identity, identity]);
    const told = { by: "desk", reason: "as told" };
    expect((await call("GET", path)).json["bundles"]).toEqual([{ ...identity, ...told, loadedAt: "2026-11-23T12:00:00.000Z" }]);
    expect(audits).toMatchObject([{ action: "policy.load", tenantId: "*", actor: "operator", detail: { ...identity, ...told } }]);
    expect((await call("GET", "/policy")).json["policies"]).toMatchObject([
      { version: "base", source: "file", state: "active" },
      { version: "next", source: "loaded", state: "pending" },
    ]);
  });

  it("refuses what a file would be refused for, and keeps nothing", async () => {
    const { call, kept, audits } = await gateway();
    const good = await bundleText("next", { from: laterMs });
    const wrong: readonly (readonly [string, number, RegExp])[] = [
      [await bundleText("next", { from: laterMs }, otherKey), 422, /no key that is trusted/],
      [good.replace('"next"', '"nexx"'), 422, /its digest is not/],
      [JSON.stringify(builtBundle("next")), 422, /it is not signed/],
      [await bundleText("next", { from: laterMs, to: laterMs }), 422, /ends before it begins/],
      [await bundleText("next", { policy: 'version = "next"\n' }), 422, /does not fit the regions/],
      ["{}", 400, /bundle/],
      [await bundleText("base", { from: laterMs }), 409, /regions\/bundles\/base\.json has version base/],
      [await bundleText("other"), 409, /begins at the same instant/],
    ];
    for (const [text, status, told] of wrong) {
      const answer = await call("POST", path, text);
      expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(told)]);
    }
    expect([kept.size, audits]).toEqual([0, []]);
  });

  it("keeps what stands in a file of this replica alone", async () => {
    const { call, kept, shelf } = await gateway();
    expect((await call("POST", path, await bundleText("base"))).status).toBe(201);
    expect([kept.size, shelf().policies.length, shelf().refused]).toEqual([1, 1, []]);
  });

  it("tries one shadow at a time, signed or not", async () => {
    const { call, shelf } = await gateway();
    const tried = JSON.stringify(builtBundle("tried"));
    const answers = [tried, tried, await bundleText("other")].map((text) => () => call("POST", `${path}?shadow=true`, text));
    const statuses: number[] = [];
    for (const ask of answers) statuses.push((await ask()).status);
    expect(statuses).toEqual([201, 200, 409]);
    expect(shelf().shadow?.world.policy.version).toBe("tried");
    expect(shelf().policies).toHaveLength(1);
    expect((await call("DELETE", `${path}/${builtBundle("tried").digest}?shadow=true`)).status).toBe(200);
    expect(shelf().shadow).toBeUndefined();
  });

  it("says of a gateway without keys that it can verify none", async () => {
    const { loading, kept } = bundleLoading();
    const { status, text } = await control({ loading }).call("POST", path, await bundleText("next"));
    expect([status, kept.size]).toEqual([409, 0]);
    expect(text).toContain("STRAIT_POLICY_KEYS");
  });

  it("takes a bundle with lists that are longer than any other body may be", async () => {
    const { call } = await gateway();
    const long = await bundleText("long", { from: laterMs });
    expect((await call("POST", path, long + " ".repeat(1_000_000))).status).toBe(201);
    expect((await call("POST", path, long + " ".repeat(9_000_000))).status).toBe(413);
  });
});

describe("DELETE /policy/bundles/{digest}", () => {
  it("withdraws what has not begun or is over, and nothing that is in force", async () => {
    const { call, clock, shelf, audits } = await gateway();
    const parts = { from: laterMs, to: laterMs + 1_000 };
    const { digest } = builtBundle("next", parts);
    const text = await bundleText("next", parts);
    const withdraw = async (atMs: number): Promise<number> => {
      await call("POST", path, text);
      clock.ms = atMs;
      return (await call("DELETE", `${path}/${digest}?reason=mistaken`)).status;
    };
    expect([await withdraw(laterMs - 2_001), shelf().policies.length]).toEqual([200, 1]);
    expect(audits[0]).toMatchObject({ action: "policy.withdraw", detail: { version: "next", digest, reason: "mistaken" } });
    // Another replica would not know of it in time.
    expect([await withdraw(laterMs - 2_000), shelf().policies.length]).toEqual([409, 2]);
    expect([await withdraw(laterMs), shelf().policies.length]).toEqual([409, 2]);
    expect([await withdraw(laterMs + 1_000), shelf().policies.length]).toEqual([200, 1]);
    expect((await call("DELETE", `${path}/${digest}`)).status).toBe(404);
  });

  it("knows no bundle of a file", async () => {
    const { call } = await gateway();
    expect((await call("DELETE", `${path}/${builtBundle("base").digest}`)).status).toBe(404);
  });
});
