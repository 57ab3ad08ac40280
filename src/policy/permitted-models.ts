import { surfaces, type Catalogue, type Model } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { authorise } from "./authorise.ts";

/** The models that this tenant may call now, on at least one surface, in the catalogue's order. */
export function permittedModels(tenant: Tenant, policy: Policy, catalogue: Catalogue, atMs: number): readonly Model[] {
  return [...catalogue.models.values()].filter((model) => {
    const deployments = catalogue.deploymentsByModel.get(model.id) ?? [];
    const spoken = surfaces.filter((surface) => deployments.some((deployment) => deployment.surfaces.has(surface)));
    return spoken.some((surface) => authorise({ tenant, modelName: model.id, surface }, policy, catalogue, atMs).ok);
  });
}
