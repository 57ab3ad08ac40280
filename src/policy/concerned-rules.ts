import { writtenOnce } from "../canonical-json.ts";
import type { Model } from "../region/catalogue.ts";
import type { Rule } from "../region/policy.ts";
import { BitSet } from "./bit-set.ts";
import { ruleChecks, type RuleChecks } from "./deployment-rules.ts";

/** The rules that are about a subject; one object for all subjects that the same rules are about. */
export class ConcernedRules {
  /** In the order of the file. */
  readonly rules: readonly Rule[];
  /** Equal where, of one index, the rules that judge deployments are the same. */
  readonly placesKey: string;
  readonly #aboutPlaces: readonly Rule[];
  readonly #checks = new Map<Model, RuleChecks>();
  readonly #names = new Map<string, readonly string[]>();

  /** `numbers` are their places in `all`, an index's rules. */
  constructor(all: readonly Rule[], numbers: BitSet) {
    const aboutPlaces = BitSet.where(all, ({ kind }, number) => numbers.has(number) && isAboutPlaces(kind));
    this.rules = numbers.of(all);
    this.#aboutPlaces = aboutPlaces.of(all);
    this.placesKey = aboutPlaces.key();
  }

  /** What they ask of the deployments of a model. */
  checksOf(model: Model): RuleChecks {
    let checks = this.#checks.get(model);
    if (checks === undefined) this.#checks.set(model, (checks = ruleChecks(this.#aboutPlaces, model)));
    return checks;
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
