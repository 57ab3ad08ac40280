import type { Catalogue, Model } from "../region/catalogue.ts";
import { recordKinds, type Policy, type RecordKind, type RetentionClass } from "../region/policy.ts";
import { monthsBefore } from "./months-before.ts";

/** Up to when records of a kind may be deleted. */
export interface RetentionTerm {
  readonly kind: RecordKind;
  /** The class that says so. */
  readonly className: string;
  /** Milliseconds since the epoch: older ones alone. */
  readonly beforeMs: number;
  /** Ids of the models whose receipts these are; `undefined`: of all. */
  readonly models: readonly string[] | undefined;
}

/** What a policy lets be deleted at an instant; plain data, so that it can be handed to where the records are. */
export interface RetentionTerms {
  readonly policyVersion: string;
  readonly policyDigest: string;
  readonly terms: readonly RetentionTerm[];
}

type Named = readonly [name: string, kept: RetentionClass];

/**
 * Worked out anew each time from the policy in force, and not when a record is written: a law that makes records be kept
 * for longer is about those that there are. Where classes narrow by model, a receipt of a model that the catalogue no
 * longer has is in none that is known, and is kept for ever.
 */
export function retentionTerms(policy: Policy, catalogue: Catalogue, nowMs: number, beforeMs: number = nowMs): RetentionTerms {
  const term = (kind: RecordKind, [className, { months }]: Named, models?: readonly string[]): RetentionTerm => ({
    kind,
    className,
    beforeMs: Math.min(beforeMs, monthsBefore(nowMs, months)),
    models,
  });
  const terms = recordKinds.flatMap((kind): RetentionTerm[] => {
    const classes = [...policy.retention].filter(([, { records }]) => records.has(kind));
    if (classes.some(([, { tiers, makers }]) => tiers !== undefined || makers !== undefined)) {
      const byClass = Map.groupBy(catalogue.models.values(), (model) =>
        longest(classes.filter(([, kept]) => isFor(kept, model))),
      );
      return [...byClass].flatMap(([named, models]) =>
        named === undefined
          ? []
          : [
              term(
                kind,
                named,
                models.map(({ id }) => id),
              ),
            ],
      );
    }
    const named = longest(classes);
    return named === undefined ? [] : [term(kind, named)];
  });
  return { policyVersion: policy.version, policyDigest: policy.digest, terms };
}

/** The term of a record; `undefined`: it is kept for ever. */
export function termOf(terms: readonly RetentionTerm[], kind: RecordKind, model: string | undefined): RetentionTerm | undefined {
  return terms.find((term) => term.kind === kind && (term.models === undefined || term.models.includes(model ?? "")));
}

function isFor({ tiers, makers }: RetentionClass, { tier, maker }: Model): boolean {
  return tiers?.has(tier) !== false && makers?.has(maker) !== false;
}

function longest(classes: readonly Named[]): Named | undefined {
  return classes.reduce<Named | undefined>(
    (best, one) => (best === undefined || one[1].months > best[1].months ? one : best),
    undefined,
  );
}
