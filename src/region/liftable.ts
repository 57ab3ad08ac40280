import type { Rule } from "./policy.ts";

/**
 * Whether an exemption may lift rules of this kind. What says where weights are, where a tenant may be served from and what
 * shows it holds for everybody: it is what the gateway promises, and no list of trusted names buys a way around it.
 */
const liftable: Readonly<Record<Rule["kind"], boolean>> = {
  weights_location: false,
  own_jurisdiction: false,
  tenant_countries: false,
  evidence: false,
  exemption: false,
  ownership: true,
  tier: true,
  withdrawal: true,
  end_use: true,
  nationality: true,
  hosted_tools: true,
  log_probabilities: true,
};

export function isLiftable(kind: Rule["kind"]): boolean {
  return liftable[kind];
}
