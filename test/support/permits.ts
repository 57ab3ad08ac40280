import { authorise } from "../../src/policy/authorise.ts";
import type { Permit } from "../../src/policy/permit.ts";
import type { Deployment, Surface } from "../../src/region/catalogue.ts";
import type { Policy } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueOf } from "./catalogue.ts";

/** A policy that leaves all to the tenant's own lists. */
export const openPolicy: Policy = {
  version: "policy-1",
  digest: "policy-digest-1",
  groups: new Map(),
  jurisdictions: new Map(),
  home: new Set(),
  lists: new Map(),
  retention: new Map(),
  rules: [],
  invariants: [],
  boundariesMs: [],
};

/** What the tenant's receipts are digested with. */
export const digestSecret: Uint8Array = new Uint8Array(32).fill(7);

export const tenant: Tenant = {
  id: "acme",
  name: "Acme",
  facts: {
    registeredCountry: "DE",
    headquartersCountry: "DE",
    ultimateParentCountry: "DE",
    endUse: "research",
    audience: "internal",
  },
  verification: { state: "verified", since: "2026-01-01T00:00:00Z", evidence: undefined },
  tiers: ["standard"],
  allowCountries: undefined,
  denyCountries: [],
  leastEvidence: undefined,
  oidc: undefined,
  endUserSecret: "a secret of the tenant",
  digestKeys: [
    { id: "dk_1", sealed: `plain.${Buffer.from(digestSecret).toString("base64url")}`, createdAt: "2026-01-01T00:00:00Z" },
  ],
  createdAt: "2026-01-01T00:00:00Z",
};

/** A genuine permit for these deployments of one model. */
export function permitFor(deployments: readonly Deployment[], surface: Surface = "chat.completions"): Permit {
  const modelName = deployments[0]?.model.id ?? "";
  const decision = authorise({ tenant, modelName, surface }, openPolicy, catalogueOf(deployments), Date.UTC(2026, 10, 23));
  if (!decision.ok) throw new Error(`refused: ${JSON.stringify(decision.refusal)}`);
  return decision.value;
}
