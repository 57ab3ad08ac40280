/**
 * Writes the regions folder into a module for the Worker, which has no folder to read. Wrangler runs this before each
 * build and whenever a file there changes. Where anything is wrong nothing is written: `wrangler dev` goes on with what
 * it has.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatProblems } from "../../region/problem.ts";
import { readCatalogue } from "../../region/read-catalogue.ts";
import { sha256 } from "./clock.ts";
import { catalogueFiles } from "./regions.ts";

export type BundleResult = { readonly ok: true; readonly regions: number } | { readonly ok: false; readonly report: string };

/** Checks `directory` and writes it to `modulePath`; an unchanged module is left alone, so that nothing is built anew for it. */
export function bundleRegions(directory: string, modulePath: string): BundleResult {
  const files = catalogueFiles(directory);
  const reading = readCatalogue(files, sha256);
  if (!reading.ok) return { ok: false, report: formatProblems(reading.problems) };
  const module = `// Generated from ${directory} by src/runtime/node/bundle-regions.ts.\nexport const regionFiles = ${JSON.stringify(files, null, 1)};\n`;
  if (readText(modulePath) !== module) {
    // A rename, because a bundler that watches must not read half a file.
    const draft = `${modulePath}.${process.pid}.draft`;
    writeFileSync(draft, module);
    renameSync(draft, modulePath);
  }
  return { ok: true, regions: reading.catalogue.regions.size };
}

export const defaultModulePath: string = join(import.meta.dirname, "../worker/regions.generated.js");

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const directory = process.env["STRAIT_REGIONS_DIR"] || "regions";
  try {
    const result = bundleRegions(directory, defaultModulePath);
    if (result.ok) process.stdout.write(`${directory}: ${result.regions} regions for the Worker\n`);
    else {
      process.stderr.write(`${result.report}\n`);
      process.exitCode = 1;
    }
  } catch (error) {
    process.stderr.write(`${directory} cannot be read: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
