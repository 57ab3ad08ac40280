import { existsSync, readdirSync, readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { basename, join } from "node:path";
import type { PolicyKeys } from "../../bundle/policy-keys.ts";
import type { PolicyShelf } from "../../bundle/policy-shelf.ts";
import { loadedFile, type BundleLoading, type BundleRecords } from "../../bundle/loaded-bundles.ts";
import { readCandidate, readShelf, type BundleRead, type ShelfRead } from "../../bundle/read-shelf.ts";
import type { Sha256 } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { World } from "../../policy/world.ts";
import { readCatalogue, type CatalogueFile, type CatalogueRead } from "../../region/read-catalogue.ts";

/** Editors write a file in several steps: a reload waits until the folder has been quiet this long. */
const quietMs = 150;

/** How often the store is asked what was loaded: another process's bundle is known here after so long. */
const askEveryMs = 1_000;

/** Where a regions folder has its policy bundles. */
export const bundlesFolder = "bundles";

/** The TOML files of a regions folder and its bundles. Throws where the folder itself cannot be read. */
export function catalogueFiles(directory: string): readonly CatalogueFile[] {
  const name = basename(directory);
  const bundles = join(directory, bundlesFolder);
  return [
    ...filesOf(directory, name, ".toml"),
    ...(existsSync(bundles) ? filesOf(bundles, `${name}/${bundlesFolder}`, ".json") : []),
  ];
}

function filesOf(directory: string, shown: string, ending: string): CatalogueFile[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(ending) && statSync(join(directory, file)).isFile())
    .sort()
    .map((file) => ({ path: `${shown}/${file}`, text: readFileSync(join(directory, file), "utf8") }));
}

/** Reads a regions folder from disk, with the policy.toml that stands in it. Throws where the folder itself cannot be read. */
export function readRegions(directory: string, sha256: Sha256): CatalogueRead {
  return readCatalogue(catalogueFiles(directory), sha256);
}

export interface RegionsSource {
  readonly directory: string;
  /** See `ShelfSource`. */
  readonly keys: PolicyKeys | undefined;
  readonly sha256: Sha256;
}

/**
 * Reads all policies of a regions folder from disk, and those that were loaded beside them. Throws where the folder itself
 * cannot be read.
 */
export function readPolicies(
  { directory, ...source }: RegionsSource,
  before?: PolicyShelf,
  loaded: readonly CatalogueFile[] = [],
): Promise<ShelfRead> {
  return readShelf({ ...source, before, files: [...catalogueFiles(directory), ...loaded] });
}

/**
 * The policies of a regions folder as it is now, and of the store once it is followed. What changed is read again and taken
 * over whole, or, where anything is wrong with it, not at all: what was read before stands and the log says why.
 */
export class WatchedRegions {
  readonly #source: RegionsSource;
  readonly #log: Log;
  readonly #adapt: (world: World) => World;
  #shelf: PolicyShelf;
  #reading: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #bundles: FSWatcher | undefined;
  #loaded: Loaded | undefined;
  #asking: NodeJS.Timeout | undefined;
  readonly #close: () => void;

  /** `adapt` is applied to every world: a demonstration points the regions at its simulator. */
  constructor(source: RegionsSource, first: PolicyShelf, log: Log, adapt: (world: World) => World) {
    this.#source = source;
    this.#log = log;
    this.#adapt = adapt;
    this.#shelf = first.adapted(adapt);
    const watcher = watch(source.directory, () => this.#soon());
    watcher.unref();
    this.#watchBundles();
    const reload = (): void => void this.reload();
    process.on("SIGHUP", reload);
    this.#close = () => {
      watcher.close();
      this.#bundles?.close();
      process.off("SIGHUP", reload);
      clearTimeout(this.#timer);
      clearInterval(this.#asking);
    };
    this.#warnOfRefused();
  }

  readonly current = (): PolicyShelf => this.#shelf;

  readonly world = (atMs: number): World => this.#shelf.at(atMs);

  /** One after another: an older reading must not replace a newer one. */
  reload(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  /**
   * Takes what was loaded as well, now and from here on. A store that cannot be asked later leaves what was read before.
   *
   * @throws {StoreUnavailable} where it cannot be asked now: an older policy must not decide meanwhile.
   */
  async follow(records: BundleRecords): Promise<BundleLoading> {
    const takeChanged = async (): Promise<void> => {
      const names = (await records.bundleNames()).join();
      if (names === this.#loaded?.names) return;
      const bundles = await records.bundles();
      this.#loaded = { names, files: bundles.map(loadedFile) };
      await this.reload();
    };
    // One after another, so that whoever waits for it has what the store had when it asked.
    let asked: Promise<void> = Promise.resolve();
    const refresh = (): Promise<void> => (asked = asked.then(takeChanged, takeChanged));
    await refresh();
    let isAway = false;
    const ask = async (): Promise<void> => {
      try {
        await refresh();
        isAway = false;
      } catch (error) {
        if (!isAway)
          this.#log.warn("the store cannot tell which bundles were loaded, the old ones stand", { error: String(error) });
        isAway = true;
      }
    };
    this.#asking = setInterval(() => void ask(), askEveryMs);
    this.#asking.unref();
    return { records, takesBundles: this.#source.keys !== undefined, verify: (file) => this.#verify(file), refresh };
  }

  close(): void {
    this.#close();
  }

  async #verify(file: CatalogueFile): Promise<BundleRead> {
    const { directory, ...source } = this.#source;
    return readCandidate(file, { ...source, files: catalogueFiles(directory) }, this.#shelf.policies);
  }

  async #read(): Promise<void> {
    this.#watchBundles();
    try {
      const read = await readPolicies(this.#source, this.#shelf, this.#loaded?.files);
      if (!read.ok) {
        this.#log.error(`the changed regions are not taken over, the old ones stand:\n${read.report}`);
        return;
      }
      if (fingerprint(read.shelf) === fingerprint(this.#shelf)) return;
      this.#shelf = read.shelf.adapted(this.#adapt);
      this.#log.info("regions reloaded", { policies: described(read.shelf) });
      this.#warnOfRefused();
    } catch (error) {
      this.#log.error("the regions cannot be read, the old ones stand", { error: String(error) });
    }
  }

  #warnOfRefused(): void {
    for (const { file, reason, keptVersion } of this.#shelf.refused)
      this.#log.error("a policy bundle is not taken", { file, reason, kept: keptVersion ?? "nothing" });
  }

  /** The folder may come and go while the gateway runs. */
  #watchBundles(): void {
    const directory = join(this.#source.directory, bundlesFolder);
    if (!existsSync(directory)) {
      this.#bundles?.close();
      this.#bundles = undefined;
    } else if (this.#bundles === undefined) {
      this.#bundles = watch(directory, () => this.#soon());
      this.#bundles.unref();
      this.#bundles.on("error", () => (this.#bundles = undefined));
    }
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.reload(), quietMs);
    this.#timer.unref();
  }
}

/** What the store had when it was last asked. */
interface Loaded {
  readonly names: string;
  readonly files: readonly CatalogueFile[];
}

/** To tell a change from a touch. */
function fingerprint({ policies, refused, shadow }: PolicyShelf): string {
  const worlds = [...policies, shadow].map((policy) => [
    policy?.file,
    policy?.world.policy.digest,
    policy?.world.catalogue.digest,
  ]);
  return JSON.stringify([worlds, refused]);
}

/** For the log: `2026-11-23.1 3f2a9c…, from 2026-12-01T00:00:00.000Z`. */
function described(shelf: PolicyShelf): string {
  return shelf.policies
    .map(({ world: { policy } }) => {
      const { effectiveFromMs: from, effectiveToMs: to } = policy;
      const dates = [from === undefined ? [] : ` from ${rfc3339(from)}`, to === undefined ? [] : ` until ${rfc3339(to)}`].flat();
      return `${policy.version} ${policy.digest.slice(0, 12)}${dates.join("")}`;
    })
    .join(", ");
}

function rfc3339(atMs: number): string {
  return new Date(atMs).toISOString();
}
