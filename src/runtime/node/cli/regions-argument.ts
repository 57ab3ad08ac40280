import { join } from "node:path";
import { formatProblems } from "../../../region/problem.ts";
import type { CatalogueFile, CatalogueRead } from "../../../region/read-catalogue.ts";
import { sha256 } from "../clock.ts";
import { errorCode } from "../error-code.ts";
import type { Argument, Input, Session } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";

export const regionsArgument: Argument = {
  name: "DIR",
  help: "the folder (STRAIT_REGIONS_DIR; default the one that ships with Strait)",
  optional: true,
};

/** The regions folder that a command is about: as given, else by the environment, else the shipped one. */
export function regionsDirectory(given: string | undefined, session: Session): string {
  return given ?? (session.environment["STRAIT_REGIONS_DIR"] || join(import.meta.dirname, "../../../../regions"));
}

export type ReadRegions = Extract<CatalogueRead, { ok: true }> & { readonly files: readonly CatalogueFile[] };

/** Reads the folder with its policy.toml; a failure with all that is wrong where it does not hold. */
export async function readRegionsArgument(input: Input, session: Session): Promise<ReadRegions> {
  const directory = regionsDirectory(input.argument("DIR"), session);
  const files = await regionFilesIn(directory);
  // Loaded here alone: reading TOML and its schemas would more than double the start of every other command.
  const { readCatalogue } = await import("../../../region/read-catalogue.ts");
  const reading = readCatalogue(files, sha256);
  if (!reading.ok)
    throw new Failure(exitCodes.failed, formatProblems(reading.problems), { ok: false, problems: reading.problems });
  return { ...reading, files };
}

export async function regionFilesIn(directory: string): Promise<readonly CatalogueFile[]> {
  const { catalogueFiles } = await import("../regions.ts");
  try {
    return catalogueFiles(directory);
  } catch (error) {
    throw new Failure(exitCodes.failed, `${directory} cannot be read (${errorCode(error)}). Name the folder of your regions.`);
  }
}
