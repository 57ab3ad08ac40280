import type { FactEvidence, FactsEvidence, Tenant, TenantFacts } from "../tenant/tenant.ts";
import { auditNote, change } from "./change.ts";
import type { AuditNote, ChangeBy, Changed, ChangePorts } from "./change.ts";
import { checkCountry } from "./known-names.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/** Which document shows something, and as of when. */
export interface Shown {
  readonly reference: string;
  /** RFC 3339; not in the future. */
  readonly asOf: string;
}

type FactNames = readonly ["registeredCountry", "headquartersCountry", "ultimateParentCountry", "endUse", "audience"];

export const factNames: FactNames & readonly (keyof TenantFacts)[] = [
  "registeredCountry",
  "headquartersCountry",
  "ultimateParentCountry",
  "endUse",
  "audience",
];

/** What one document says of one fact. */
export interface FactStatement extends AuditNote {
  readonly fact: keyof TenantFacts;
  readonly value: string;
  readonly evidence: Shown;
}

/**
 * Takes what a document says: it makes a fact known, shows it anew, or contradicts it. A fact that is contradicted refuses
 * wherever a rule asks for it, until somebody settles it by a change of the tenant's facts.
 */
export async function stateFact(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  statement: FactStatement,
): Promise<Outcome<Changed<Tenant>>> {
  return change(ports, tenantId, by, ({ tenant }, now) => {
    if (tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const { fact, value, evidence } = statement;
    const wrong = invalid([...checkValue(statement), ...checkShown(evidence, now, "/evidence")]);
    if (wrong !== undefined) return wrong;
    const known = tenant.facts[fact];
    const facts = known === undefined ? { ...tenant.facts, [fact]: value } : tenant.facts;
    const shown =
      known === undefined || known === value ? renewed(tenant.factsEvidence?.[fact], evidence) : contradicted(tenant, statement);
    const next: Tenant = { ...tenant, facts, factsEvidence: { ...tenant.factsEvidence, [fact]: shown } };
    const detail = {
      fact,
      value,
      known: known ?? null,
      evidence: evidence.reference,
      asOf: evidence.asOf,
      ...auditNote(statement),
    };
    return done({ value: next, entry: { tenant: next }, action: "tenant.fact", detail });
  });
}

/** Of two documents that show the same the later one counts. */
function renewed(before: FactEvidence | undefined, shown: Shown): FactEvidence {
  const later = before === undefined || Date.parse(shown.asOf) >= Date.parse(before.asOf) ? shown : before;
  return { reference: later.reference, asOf: later.asOf, contradictions: before?.contradictions };
}

/** A fact that nothing dated showed is kept, and what contradicts it is as well: neither is believed by itself. */
function contradicted(tenant: Tenant, { fact, value, evidence }: FactStatement): FactEvidence {
  const before = tenant.factsEvidence?.[fact] ?? { reference: "none", asOf: tenant.createdAt };
  const others = (before.contradictions ?? []).filter((other) => other.value !== value);
  return { ...before, contradictions: [...others, { value, ...evidence }] };
}

function checkValue({ fact, value }: FactStatement): Problem[] {
  if (fact === "endUse") return [];
  if (fact !== "audience") return checkCountry(value, "/value");
  if (value === "internal" || value === "public-facing") return [];
  return [{ pointer: "/value", detail: "Write `internal` or `public-facing`." }];
}

export function checkShown({ asOf }: Shown, now: string, pointer: string): Problem[] {
  if (Date.parse(asOf) <= Date.parse(now)) return [];
  return [{ pointer: `${pointer}/asOf`, detail: "A document shows what was; write a time that is not in the future." }];
}

/** What a change of facts makes of their evidence: each changed fact is shown by the document named, or by nothing any more. */
export function evidenceAfter(
  before: FactsEvidence | undefined,
  facts: readonly (keyof TenantFacts)[],
  shown: Shown | undefined,
): FactsEvidence | undefined {
  if (facts.length === 0 || (before === undefined && shown === undefined)) return before;
  const evidence = shown && { reference: shown.reference, asOf: shown.asOf };
  return { ...before, ...Object.fromEntries(facts.map((fact) => [fact, evidence])) };
}
