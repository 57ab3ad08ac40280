import { loadedFile, type BundleLoading, type BundleRecords } from "../../bundle/loaded-bundles.ts";
import type { PolicyKeys } from "../../bundle/policy-keys.ts";
import type { PolicyShelf } from "../../bundle/policy-shelf.ts";
import { readCandidate } from "../../bundle/read-shelf.ts";
import type { Log } from "../../log.ts";
import type { World } from "../../policy/world.ts";
import { sha256 } from "./clock.ts";
import { bundledPolicies } from "./regions.ts";
import { regionFiles } from "./regions.generated.js";

/**
 * The policies of an isolate: those that the Worker was built with, and those that were loaded. It hears which these are with
 * each answer about revocations, hence before it admits anything; one that cannot hear admits nothing.
 */
export class IsolatePolicies {
  readonly #keys: PolicyKeys | undefined;
  readonly #records: BundleRecords;
  readonly #adapt: (world: World) => World;
  readonly #log: Log;
  #shelf: PolicyShelf;
  /** The bundles that are on the shelf, or were refused. */
  #names = "";
  #asked = 0;
  #taken = 0;

  /** `adapt` is applied to every world: a demonstration points the regions at its simulator. */
  private constructor(ports: IsolatePoliciesPorts, built: PolicyShelf) {
    this.#keys = ports.keys;
    this.#records = ports.records;
    this.#adapt = ports.adapt;
    this.#log = ports.log;
    this.#shelf = built.adapted(ports.adapt);
  }

  static async open(ports: IsolatePoliciesPorts): Promise<IsolatePolicies> {
    return new IsolatePolicies(ports, await bundledPolicies(ports.keys));
  }

  readonly current = (): PolicyShelf => this.#shelf;

  readonly world = (atMs: number): World => this.#shelf.at(atMs);

  /** Resolves once the bundles of these names are taken. Each request reads for itself: a promise dies with its request. */
  readonly hear = async (names: readonly string[]): Promise<void> => {
    const heard = names.join();
    if (heard === this.#names) return;
    const asked = ++this.#asked;
    const bundles = await this.#records.bundles();
    const shelf = await bundledPolicies(this.#keys, bundles.map(loadedFile), this.#shelf);
    // Another request has asked later and was answered sooner: it knows more.
    if (asked < this.#taken) return;
    this.#taken = asked;
    this.#names = heard;
    this.#shelf = shelf.adapted(this.#adapt);
    for (const { file, reason } of shelf.refused) this.#log.error("a policy bundle is not taken", { file, reason });
  };

  loading(): BundleLoading {
    return {
      records: this.#records,
      takesBundles: this.#keys !== undefined,
      verify: (file) => readCandidate(file, { files: regionFiles, keys: this.#keys, sha256 }, this.#shelf.policies),
      refresh: async () => this.hear(await this.#records.bundleNames()),
    };
  }
}

export interface IsolatePoliciesPorts {
  /** Without them the policy.toml that the Worker was built with decides. */
  readonly keys: PolicyKeys | undefined;
  readonly records: BundleRecords;
  readonly adapt: (world: World) => World;
  readonly log: Log;
}
