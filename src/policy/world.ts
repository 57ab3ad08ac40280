import type { Catalogue } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";

/** A catalogue and the policy that it was read with: a decision never mixes two readings. */
export interface World {
  readonly catalogue: Catalogue;
  readonly policy: Policy;
}
