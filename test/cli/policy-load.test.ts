import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { builtBundle, bundleText, key, keysOf } from "../bundle/bundle-fixture.ts";
import { bundleLoading } from "../control/bundle-loading.ts";
import { emptyFolder, served } from "./cli-fixture.ts";

test("policy load gives a bundle to the gateway, policy show says where it comes from, and policy unload withdraws it", async () => {
  const base = { path: "regions/bundles/base.json", text: await bundleText("base") };
  const { loading, shelf, audits } = bundleLoading(await keysOf(key), [base]);
  const api = await served({ loading, policies: shelf });
  try {
    const parts = { from: api.clock.ms + 60_000 };
    const file = join(emptyFolder, "next.json");
    const { digest } = builtBundle("next", parts);
    writeFileSync(file, await bundleText("next", parts));
    const loaded = await api.run(["policy", "load", file, "--reason", "as told", "--by", "desk"]);
    expect([loaded.code, loaded.stdout]).toEqual([0, expect.stringContaining(digest)]);
    expect(audits[0]?.detail).toMatchObject({ version: "next", reason: "as told", by: "desk" });
    const show = await api.run(["policy", "show"]);
    expect(show.stdout).toMatch(/^active +base .* regions\/bundles\/base\.json$/m);
    expect(show.stdout).toMatch(new RegExp(`^pending +next .* loaded/bundles/${digest}\\.json$`, "m"));
    writeFileSync(file, JSON.stringify(builtBundle("unsigned")));
    const unsigned = await api.run(["policy", "load", file]);
    expect([unsigned.code, unsigned.stderr]).toEqual([1, expect.stringContaining("it is not signed")]);
    expect((await api.run(["policy", "load", file, "--shadow"])).code).toBe(0);
    expect((await api.run(["policy", "unload", digest])).code).toBe(0);
    expect(shelf().policies).toHaveLength(1);
    expect((await api.run(["policy", "unload", digest])).code).toBe(1);
    writeFileSync(file, "{");
    const torn = await api.run(["policy", "load", file]);
    expect([torn.code, torn.stderr]).toEqual([1, expect.stringContaining("is not JSON")]);
  } finally {
    await api.stop();
  }
});
