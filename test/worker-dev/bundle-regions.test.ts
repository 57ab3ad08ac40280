import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CatalogueFile } from "../../src/region/read-catalogue.ts";
import { bundleRegions } from "../../src/runtime/node/bundle-regions.ts";

let folder: string;
let regions: string;
let module: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "strait-bundle-"));
  regions = join(folder, "regions");
  module = join(folder, "regions.generated.mjs");
  cpSync(join(import.meta.dirname, "../../regions"), regions, { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function breakModels(): void {
  const path = join(regions, "models.toml");
  writeFileSync(path, `${readFileSync(path, "utf8")}\nunknown_key = 1\n`);
}

describe("regions for the Worker", () => {
  it("are a module with every file's path and text", async () => {
    expect(bundleRegions(regions, module, "a")).toMatchObject({ ok: true });
    const { regionFiles } = (await import(pathToFileURL(module).href)) as { regionFiles: readonly CatalogueFile[] };
    expect(regionFiles.find(({ path }) => path === "regions/policy.toml")?.text).toBe(
      readFileSync(join(regions, "policy.toml"), "utf8"),
    );
    expect(regionFiles.every(({ path }) => path.endsWith(".toml"))).toBe(true);
  });

  it("that did not change are not written again, for nothing would be built but the same", () => {
    bundleRegions(regions, module, "a");
    const before = statSync(module, { bigint: true }).mtimeNs;
    bundleRegions(regions, module, "a");
    expect(statSync(module, { bigint: true }).mtimeNs).toBe(before);
  });

  it("that are wrong are told with file and line and not written", () => {
    breakModels();
    const result = bundleRegions(regions, module, "a");
    expect(result).toMatchObject({ ok: false, kept: false });
    expect(result.ok ? "" : result.report).toMatch(/^regions\/models\.toml:\d+: /);
    expect(existsSync(module)).toBe(false);
  });

  it("that become wrong leave the same session what it had, and no other", () => {
    bundleRegions(regions, module, "a");
    const before = readFileSync(module, "utf8");
    breakModels();
    expect(bundleRegions(regions, module, "a")).toMatchObject({ ok: false, kept: true });
    expect(readFileSync(module, "utf8")).toBe(before);
    expect(bundleRegions(regions, module, "b")).toMatchObject({ ok: false, kept: false });
  });
});
