import { writtenOnce } from "../canonical-json.ts";
import type { Rule } from "../region/policy.ts";

/** The rules that are about a subject; one object for all subjects that the same rules are about. */
export class ConcernedRules {
  /** In the order of the file. */
  readonly rules: readonly Rule[];
  /** Those of them that judge deployments. */
  readonly aboutPlaces: readonly Rule[];
  readonly placesKey: string;
  readonly #names = new Map<string, readonly string[]>();

  constructor(rules: readonly Rule[]) {
    this.rules = rules;
    this.aboutPlaces = rules.filter(({ kind }) => isAboutPlaces(kind));
    this.placesKey = this.aboutPlaces.map(({ id }) => id).join();
  }

  /** Their names, after those of `first` and before those of `last`, which stand in no file: one list for all permits that name the same. */
  names(first: string, last: readonly string[]): readonly string[] {
    const key = last.join("\n");
    let names = this.#names.get(key);
    if (names === undefined) {
      names = writtenOnce(Object.freeze([first, ...this.rules.map(({ id }) => id), ...last]));
      this.#names.set(key, names);
    }
    return names;
  }
}

function isAboutPlaces(kind: Rule["kind"]): boolean {
  return kind === "weights_location" || kind === "own_jurisdiction" || kind === "tenant_countries" || kind === "evidence";
}
