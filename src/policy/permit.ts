import type { Deployment, Model } from "../region/catalogue.ts";
import type { RuleKind } from "../refusal.ts";

/** Why one candidate deployment was refused, for spans, `explain` and receipts. */
export interface RefusedCandidate {
  readonly deployment: string;
  readonly kind: RuleKind | "fact_unknown" | "surface";
  readonly rule: string;
  readonly reason: string;
}

/**
 * Proof that this tenant may run this model on these deployments. Whatever reaches an upstream takes one, so a request
 * to a forbidden country cannot be expressed. `authorise.ts` is the only place that makes one: it knows the genuine
 * ones by identity, so that an object of the same shape, or a copy with one more deployment, is not a permit.
 */
export interface Permit {
  readonly tenantId: string;
  readonly model: Model;
  /** At least one, in no order of preference. */
  readonly deployments: readonly Deployment[];
  readonly refused: readonly RefusedCandidate[];
  /** The rules that looked at the request and let it pass. */
  readonly rules: readonly string[];
  readonly policyVersion: string;
  readonly policyDigest: string;
  readonly catalogueDigest: string;
}
