import type { ConnectionRules } from "./region/connection-rules.ts";
import type { World } from "./policy/world.ts";

/** A simulator answers on this machine and nowhere else. */
const connection: ConnectionRules = { local: true, networks: [], addressCountry: undefined, keyPins: [] };

/** The same world with every region answered under `<url>/<region id>`, whatever its file says. */
export function simulatedWorld(world: World, url: string): World {
  const { catalogue, policy } = world;
  const regions = new Map(
    [...catalogue.regions].map(([id, region]) => [id, { ...region, endpoint: `${url}/${id}`, connection }]),
  );
  const deployments = new Map(
    [...catalogue.deployments].map(([id, deployment]) => [
      id,
      { ...deployment, region: regions.get(deployment.region.id) ?? deployment.region },
    ]),
  );
  const deploymentsByModel = new Map(
    [...catalogue.deploymentsByModel].map(([model, list]) => [
      model,
      list.map((deployment) => deployments.get(deployment.id) ?? deployment),
    ]),
  );
  return { policy, catalogue: { ...catalogue, regions, deployments, deploymentsByModel } };
}
