import { join } from "node:path";
import { formatProblems } from "../../../region/problem.ts";
import type { CatalogueRead } from "../../../region/read-catalogue.ts";
import { sha256 } from "../clock.ts";
import type { Command } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";

export const checkCommand: Command = {
  path: ["check"],
  summary: "check a regions folder, without a running gateway",
  arguments: [{ name: "DIR", help: "the folder (STRAIT_REGIONS_DIR; default the one that ships with Strait)", optional: true }],
  options: [],
  async run(input, session) {
    const shipped = join(import.meta.dirname, "../../../../regions");
    const directory = input.argument("DIR") ?? (session.environment["STRAIT_REGIONS_DIR"] || shipped);
    const reading = await read(directory);
    if (!reading.ok)
      throw new Failure(exitCodes.failed, formatProblems(reading.problems), { ok: false, problems: reading.problems });
    const { regions, deployments, models, digest } = reading.catalogue;
    const counts = { regions: regions.size, deployments: deployments.size, models: models.size };
    if (session.json) return session.print(JSON.stringify({ ok: true, ...counts, digest }, undefined, 2));
    session.print(`${directory} is valid: ${counts.regions} regions, ${counts.deployments} deployments, ${counts.models} models`);
  },
};

async function read(directory: string): Promise<CatalogueRead> {
  // Loaded here alone: reading TOML and its schemas would more than double the start of every other command.
  const { readRegions } = await import("../regions.ts");
  try {
    return readRegions(directory, sha256);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new Failure(exitCodes.failed, `${directory} cannot be read (${code}). Name the folder: strait check DIR`);
  }
}
