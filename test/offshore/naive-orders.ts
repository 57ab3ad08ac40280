import type { RevocationScope } from "../../src/revocation/order.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import type { DeploymentEntry, RegionEntry } from "../../src/region/region-file.ts";
import type { ModelEntry } from "../../src/region/models-file.ts";

export interface NaiveOrder {
  readonly scope: RevocationScope;
  readonly untilMs: number;
}

/** Where it would run, as it is written; `places`: `undefined` where it may be anywhere. */
export interface NaivePlace {
  readonly region: RegionEntry;
  readonly entry: DeploymentEntry;
  readonly places: readonly string[] | undefined;
}

/** Whether an order cuts this off: all that it names must fit, and what is not known fits. */
export function isCutOff(
  { scope, untilMs }: NaiveOrder,
  { tenant, keyId, model }: { readonly tenant: Tenant; readonly keyId: string; readonly model: ModelEntry },
  { region, entry, places }: NaivePlace,
  atMs: number,
): boolean {
  if (atMs >= untilMs) return false;
  const { registeredCountry, headquartersCountry, ultimateParentCountry } = tenant.facts;
  const seats = [registeredCountry, headquartersCountry, ultimateParentCountry];
  const contradictions = Object.values(tenant.factsEvidence ?? {}).flatMap((evidence) => evidence?.contradictions ?? []);
  const said = [...seats, ...contradictions.map(({ value }) => value)];
  const fits = [
    scope.model === undefined || scope.model === model.id,
    scope.tier === undefined || scope.tier === model.tier,
    scope.tenant === undefined || scope.tenant === tenant.id,
    scope.key === undefined || scope.key === keyId,
    scope.tenantCountry === undefined ||
      seats.some((seat) => seat === undefined || seat === "XX") ||
      said.includes(scope.tenantCountry),
    scope.country === undefined || places === undefined || places.includes(scope.country),
    scope.deployment === undefined || scope.deployment === `${region.id}/${entry.name ?? entry.model}`,
    scope.region === undefined || scope.region === region.id,
  ];
  return fits.every(Boolean);
}
