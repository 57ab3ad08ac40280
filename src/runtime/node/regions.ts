import { readdirSync, readFileSync, statSync, watch } from "node:fs";
import { basename, join } from "node:path";
import type { Sha256 } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { World } from "../../policy/world.ts";
import { formatProblems } from "../../region/problem.ts";
import { readCatalogue, type CatalogueFile, type CatalogueRead } from "../../region/read-catalogue.ts";

/** Editors write a file in several steps: a reload waits until the folder has been quiet this long. */
const quietMs = 150;

/** The TOML files of a regions folder. Throws where the folder itself cannot be read. */
export function catalogueFiles(directory: string): readonly CatalogueFile[] {
  const name = basename(directory);
  return readdirSync(directory)
    .filter((file) => file.endsWith(".toml") && statSync(join(directory, file)).isFile())
    .sort()
    .map((file) => ({ path: `${name}/${file}`, text: readFileSync(join(directory, file), "utf8") }));
}

/** Reads a regions folder from disk. Throws where the folder itself cannot be read. */
export function readRegions(directory: string, sha256: Sha256): CatalogueRead {
  return readCatalogue(catalogueFiles(directory), sha256);
}

/**
 * The world as the folder has it now. Changed files are read again and taken over whole, or, where anything is wrong
 * with them, not at all: the old world stands and the log says why.
 */
export class WatchedRegions {
  readonly #directory: string;
  readonly #sha256: Sha256;
  readonly #log: Log;
  #world: World;
  #timer: NodeJS.Timeout | undefined;
  readonly #transform: (world: World) => World;
  readonly #close: () => void;

  constructor(directory: string, first: World, sha256: Sha256, log: Log, transform: (world: World) => World) {
    this.#directory = directory;
    this.#sha256 = sha256;
    this.#log = log;
    this.#transform = transform;
    this.#world = transform(first);
    const watcher = watch(directory, () => this.#soon());
    watcher.unref();
    const reload = (): void => this.reload();
    process.on("SIGHUP", reload);
    this.#close = () => {
      watcher.close();
      process.off("SIGHUP", reload);
      clearTimeout(this.#timer);
    };
  }

  readonly current = (): World => this.#world;

  reload(): void {
    try {
      const reading = readRegions(this.#directory, this.#sha256);
      if (!reading.ok) {
        this.#log.error(`the changed regions are not taken over, the old ones stand:\n${formatProblems(reading.problems)}`);
        return;
      }
      const { catalogue, policy } = this.#world;
      if (reading.catalogue.digest === catalogue.digest && reading.policy.digest === policy.digest) return;
      this.#world = this.#transform(reading);
      this.#log.info("regions reloaded", { digest: reading.catalogue.digest, policy: reading.policy.version });
    } catch (error) {
      this.#log.error("the regions cannot be read, the old ones stand", { error: String(error) });
    }
  }

  close(): void {
    this.#close();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reload(), quietMs);
    this.#timer.unref();
  }
}
