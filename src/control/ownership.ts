import { tenantItself, type Holding, type Owner, type Ownership } from "../tenant/ownership.ts";
import { auditNote, change } from "./change.ts";
import type { AuditNote, ChangeBy, Changed, ChangePorts } from "./change.ts";
import { checkShown } from "./facts.ts";
import { checkCountry } from "./known-names.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/** As the API takes it: `null` is unknown. */
export interface OwnershipInput {
  readonly owners: readonly (Omit<Owner, "country" | "identifiers"> & {
    readonly country?: string | null | undefined;
    readonly identifiers?: readonly string[] | undefined;
  })[];
  readonly holdings: readonly (Omit<Holding, "basisPoints"> & { readonly basisPoints?: number | null | undefined })[];
}

export interface OwnershipChange extends AuditNote {
  /** `null`: unresolved. */
  readonly ownership: OwnershipInput | null;
}

/** Replaces what is known of who owns the tenant: all of it, because a holding left out of a newer document is one that ended. */
export async function setOwnership(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  { ownership: input, ...note }: OwnershipChange,
): Promise<Outcome<Changed<Ownership | undefined>>> {
  return change(ports, tenantId, by, ({ tenant }, now) => {
    if (tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const wrong = invalid(input === null ? [] : checkOwnership(input, now));
    if (wrong !== undefined) return wrong;
    const ownership = input === null ? undefined : ownershipOf(input);
    const evidence = [...new Set((ownership?.holdings ?? []).map((holding) => holding.evidence))];
    const detail = { ownership: ownership ?? null, evidence, ...auditNote(note) };
    return done({ value: ownership, entry: { tenant: { ...tenant, ownership } }, action: "tenant.ownership", detail });
  });
}

function ownershipOf({ owners, holdings }: OwnershipInput): Ownership {
  return {
    owners: owners.map(({ id, name, kind, country, identifiers }) => ({
      id,
      name,
      kind,
      country: country ?? undefined,
      identifiers: identifiers ?? [],
    })),
    holdings: holdings.map(({ owner, of, basisPoints, evidence, asOf }) => ({
      owner,
      of,
      basisPoints: basisPoints ?? undefined,
      evidence,
      asOf,
    })),
  };
}

function checkOwnership({ owners, holdings }: OwnershipInput, now: string): Problem[] {
  const problems: Problem[] = [];
  const kinds = new Map(owners.map(({ id, kind }) => [id, kind]));
  owners.forEach(({ id, country }, index) => {
    const pointer = `/ownership/owners/${index}`;
    problems.push(...checkCountry(country ?? undefined, `${pointer}/country`));
    if (id === tenantItself)
      problems.push({ pointer: `${pointer}/id`, detail: "`tenant` is the tenant itself; choose another id." });
    if (owners.findIndex((other) => other.id === id) < index)
      problems.push({ pointer: `${pointer}/id`, detail: `Another owner is already called \`${id}\`.` });
  });
  holdings.forEach(({ owner, of, asOf, evidence }, index) => {
    const pointer = `/ownership/holdings/${index}`;
    problems.push(...checkShown({ reference: evidence, asOf }, now, pointer));
    if (!kinds.has(owner)) problems.push({ pointer: `${pointer}/owner`, detail: `There is no owner \`${owner}\`.` });
    if (owner === of) problems.push({ pointer: `${pointer}/of`, detail: "Nobody holds a share of itself here; leave it out." });
    else if (of !== tenantItself && kinds.get(of) !== "company")
      problems.push({ pointer: `${pointer}/of`, detail: "Write `tenant`, or the id of an owner that is a company." });
  });
  return problems;
}
