import { issueKey } from "./control/keys.ts";
import { setOwnership, type OwnershipInput } from "./control/ownership.ts";
import { addTenant, changeTenant } from "./control/tenants.ts";
import { changeVerification } from "./control/verification.ts";
import { nowRfc3339, type ChangePorts } from "./control/change.ts";
import type { Outcome } from "./control/outcome.ts";
import type { Country } from "./region/country.ts";
import { tenantItself, wholeBasisPoints } from "./tenant/ownership.ts";
import type { Tenant } from "./tenant/tenant.ts";

export interface DemoTenant {
  readonly id: string;
  /** What a newcomer should know of it. */
  readonly explanation: string;
  /** The key itself: shown once. */
  readonly key: string;
}

const actor = { actor: "demo" };
/** What is said to show the facts. */
const reference = "demonstration";
const verified = { state: "verified", evidence: reference, by: reference, reason: "made up, for the demonstration" } as const;
/** Rules ask for documents of the last year, and a demonstration may lie about for longer than that. */
const goodForMs = 180 * 86_400_000;

const demoTenants = [
  {
    id: "demo_cn",
    name: "Demonstration company in China",
    country: "CN",
    explanation:
      "jurisdiction CN: the GPT models, from outside CN, HK and MO; Claude is refused, as its maker's ownership rule says",
  },
  { id: "demo_sg", name: "Demonstration company in Singapore", country: "SG", explanation: "jurisdiction SG: every model" },
] as const;

/**
 * Makes the demonstration's verified tenants; empty where they are there already, for a key is shown only once. What shows
 * the facts of those that are there is renewed when it grows old.
 */
export async function makeDemoTenants(ports: ChangePorts): Promise<readonly DemoTenant[]> {
  const made: DemoTenant[] = [];
  const now = nowRfc3339(ports.clock);
  for (const { id, name, country, explanation } of demoTenants) {
    const existing = await ports.directory.find(id);
    if (existing !== undefined) {
      await showAnew(ports, existing.tenant, country, now);
      continue;
    }
    const facts = {
      registeredCountry: country,
      headquartersCountry: country,
      ultimateParentCountry: country,
      endUse: "software development",
      audience: "internal",
    } as const;
    const tiers = [...new Set([...ports.catalogue().models.values()].map((model) => model.tier))];
    must(await addTenant(ports, actor, { id, name, facts, evidence: { reference, asOf: now }, tiers }));
    must(await setOwnership(ports, id, actor, { ownership: ownedByFounders(name, country, now) }));
    must(await changeVerification(ports, id, actor, verified));
    const issued = must(await issueKey(ports, id, actor, { name: "demonstration" }));
    made.push({ id, explanation, key: issued.value.secret });
  }
  return made;
}

/** Whoever changed a tenant's facts by documents of their own has taken it over: that is left alone. */
async function showAnew(ports: ChangePorts, tenant: Tenant, country: Country, now: string): Promise<void> {
  const { id, name, facts, factsEvidence, verification } = tenant;
  const shown = factsEvidence?.registeredCountry;
  if (verification.state !== "verified" || (shown !== undefined && shown.reference !== reference)) return;
  if (shown !== undefined && Date.parse(now) - Date.parse(shown.asOf) < goodForMs) return;
  must(await changeTenant(ports, id, actor, { facts, evidence: { reference, asOf: now } }));
  must(await setOwnership(ports, id, actor, { ownership: ownedByFounders(name, country, now) }));
}

function ownedByFounders(name: string, country: Country, asOf: string): OwnershipInput {
  return {
    owners: [{ id: "founders", name: `Founders of the ${name}`, kind: "person", country }],
    holdings: [{ owner: "founders", of: tenantItself, basisPoints: wholeBasisPoints, evidence: reference, asOf }],
  };
}

function must<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw new Error(`the demonstration's tenants could not be made: ${JSON.stringify(outcome.refusal)}`);
}
