import type { Catalogue } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";

/** The catalogue and the policy that were read together: a decision never mixes two readings. */
export interface World {
  readonly catalogue: Catalogue;
  readonly policy: Policy;
}
