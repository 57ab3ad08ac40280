import type { Deployment, Model } from "../region/catalogue.ts";
import type { DecisionInputs } from "./decision-inputs.ts";
import type { ObjectionKind } from "./finding.ts";

/** Why one candidate deployment was refused, for spans, `explain` and receipts. */
export interface RefusedCandidate {
  readonly deployment: string;
  readonly kind: ObjectionKind;
  readonly rule: string;
  readonly reason: string;
}

/** A deployment that the rules admit, and an order or quarantine takes away. */
export interface CutOffCandidate {
  readonly deployment: string;
  /** The order's id. */
  readonly order: string;
}

/** What a rule had left out or put in the place of what was asked. */
export interface Degradation {
  readonly rule: string;
  readonly codes: readonly string[];
  readonly toModel?: string;
  readonly without?: "log_probabilities";
}

/**
 * Proof that this tenant may run this model on these deployments. Whatever reaches an upstream takes one, so a request
 * to a forbidden country cannot be expressed. `authorise.ts` is the only place that makes one: it knows the genuine
 * ones by identity, so that an object of the same shape, or a copy with one more deployment, is not a permit.
 */
export interface Permit {
  readonly tenantId: string;
  /** The model that answers; where a rule lessened the request, not the one asked for. */
  readonly model: Model;
  /** At least one, in no order of preference. */
  readonly deployments: readonly Deployment[];
  readonly refused: readonly RefusedCandidate[];
  readonly cutOff: readonly CutOffCandidate[];
  /** The rules that looked at the request and let it pass. */
  readonly rules: readonly string[];
  /** Empty where the tenant gets what it asked for. */
  readonly degradations: readonly Degradation[];
  /** All that it was decided by, beside the policy and the catalogue. */
  readonly inputs: DecisionInputs;
  readonly policyVersion: string;
  readonly policyDigest: string;
  readonly catalogueDigest: string;
}
