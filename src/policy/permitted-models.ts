import { surfaces, type Catalogue, type Model } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { authorise } from "./authorise.ts";
import type { Permit } from "./permit.ts";

/**
 * The models that this tenant may call now, on at least one surface, in the catalogue's order. `stands` says whether a permit
 * is of use at present.
 */
export function permittedModels(
  tenant: Tenant,
  policy: Policy,
  catalogue: Catalogue,
  atMs: number,
  stands: (permit: Permit) => boolean = () => true,
): readonly Model[] {
  return [...catalogue.models.values()].filter((model) => {
    const deployments = catalogue.deploymentsByModel.get(model.id) ?? [];
    const spoken = surfaces.filter((surface) => deployments.some((deployment) => deployment.surfaces.has(surface)));
    return spoken.some((surface) => {
      const permit = authorise({ tenant, modelName: model.id, surface }, policy, catalogue, atMs);
      return permit.ok && stands(permit.value);
    });
  });
}
