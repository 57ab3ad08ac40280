import { tenantInputs } from "../policy/decision-inputs.ts";
import { countryFacts, everyCountry } from "../policy/facts.ts";
import type { Deployment, Model } from "../region/catalogue.ts";
import { meets } from "../region/country.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { RevocationOrder, RevocationScope } from "./order.ts";

/** Who asks for what: all that an order may look at beside the deployments. */
export interface RevocationSubject {
  readonly tenant: Tenant;
  readonly keyId: string;
  readonly model: Model;
}

/** Whether an order is about this subject, wherever it may run. */
export function concerns({ scope }: RevocationOrder, { tenant, keyId, model }: RevocationSubject): boolean {
  return (
    same(scope.tenant, tenant.id) &&
    same(scope.key, keyId) &&
    same(scope.model, model.id) &&
    same(scope.tier, model.tier) &&
    (scope.tenantCountry === undefined || mayBeOf(tenant, scope.tenantCountry))
  );
}

/** Whether an order that concerns the subject hits this deployment; one that names no place hits every one. */
export function hits({ scope }: RevocationOrder, deployment: Deployment): boolean {
  return (
    same(scope.deployment, deployment.id) &&
    same(scope.region, deployment.region.id) &&
    (scope.country === undefined || meets(deployment.countries, new Set([scope.country])) !== undefined)
  );
}

export function namesPlace({ country, deployment, region }: RevocationScope): boolean {
  return country !== undefined || deployment !== undefined || region !== undefined;
}

function same(asked: string | undefined, actual: string): boolean {
  return asked === undefined || asked === actual;
}

/** A tenant of which a country is not known may be of any. */
function mayBeOf(tenant: Tenant, country: string): boolean {
  const facts = countryFacts(tenantInputs(tenant));
  return facts.some(({ value }) => value === undefined) || everyCountry(facts).includes(country);
}
