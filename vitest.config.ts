import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { bundleRegions, defaultModulePath } from "./src/runtime/node/bundle-regions.ts";

// No test talks to anybody but loopback and its own workerd.
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";

const worker = cloudflareTest(() => {
  // Called before workerd starts and only where its tests run: what wrangler's `[build]` would have done.
  const bundled = bundleRegions("regions", defaultModulePath, "vitest");
  if (!bundled.ok) throw new Error(bundled.report);
  return {
    main: "./test/worker/worker-under-test.ts",
    wrangler: { configPath: "./wrangler.toml" },
    remoteBindings: false,
    miniflare: {
      durableObjects: {
        UNSWEPT: { className: "UnsweptTenantObject", useSQLite: true },
        UNSCHEDULED: { className: "UnscheduledDirectoryObject", useSQLite: true },
        UNSWEPT_SHARDS: { className: "UnsweptShardObject", useSQLite: true },
      },
    },
  };
});

/** How long a test may hang before it is given up, on a machine that others use as well: no bound on how fast anything is. */
const patience = { testTimeout: 30_000, hookTimeout: 30_000 };

const config: ViteUserConfig = defineConfig({
  test: {
    // Most of a test's time is waiting for a process or a server: one at a time, as on two cores by default, takes twice as long.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      { test: { ...patience, name: "node", include: ["test/**/*.test.ts"], exclude: ["test/worker/**", "node_modules/**"] } },
      { plugins: [worker], test: { ...patience, name: "worker", include: ["test/worker/**/*.test.ts"] } },
    ],
  },
});
export default config;
