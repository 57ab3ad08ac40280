import { issueKey } from "./control/keys.ts";
import { setOwnership } from "./control/ownership.ts";
import { addTenant } from "./control/tenants.ts";
import { changeVerification } from "./control/verification.ts";
import { nowRfc3339, type ChangePorts } from "./control/change.ts";
import type { Outcome } from "./control/outcome.ts";
import { tenantItself, wholeBasisPoints } from "./tenant/ownership.ts";

export interface DemoTenant {
  readonly id: string;
  /** What a newcomer should know of it. */
  readonly explanation: string;
  /** The key itself: shown once. */
  readonly key: string;
}

const actor = { actor: "demo" };

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

/** Makes the demonstration's verified tenants; empty where they are there already, for a key is shown only once. */
export async function makeDemoTenants(ports: ChangePorts): Promise<readonly DemoTenant[]> {
  const made: DemoTenant[] = [];
  const now = nowRfc3339(ports.clock);
  for (const { id, name, country, explanation } of demoTenants) {
    if ((await ports.directory.find(id)) !== undefined) continue;
    const facts = {
      registeredCountry: country,
      headquartersCountry: country,
      ultimateParentCountry: country,
      endUse: "software development",
      audience: "internal",
    } as const;
    const tiers = [...new Set([...ports.catalogue().models.values()].map((model) => model.tier))];
    must(await addTenant(ports, actor, { id, name, facts, evidence: { reference: "demonstration", asOf: now }, tiers }));
    const holding = { owner: "founders", of: tenantItself, basisPoints: wholeBasisPoints, evidence: "demonstration", asOf: now };
    const owners = [{ id: "founders", name: `Founders of the ${name}`, kind: "person", country } as const];
    must(await setOwnership(ports, id, actor, { ownership: { owners, holdings: [holding] } }));
    must(await changeVerification(ports, id, actor, { state: "verified", evidence: "demonstration" }));
    const issued = must(await issueKey(ports, id, actor, { name: "demonstration" }));
    made.push({ id, explanation, key: issued.value.secret });
  }
  return made;
}

function must<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw new Error(`the demonstration's tenants could not be made: ${JSON.stringify(outcome.refusal)}`);
}
