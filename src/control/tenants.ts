import type { Country } from "../region/country.ts";
import type { EvidenceGrade } from "../region/catalogue.ts";
import { isTimeZone } from "../tenant/periods.ts";
import { hex, tenantIdPattern } from "../tenant/key.ts";
import type { DirectoryEntry, OidcIssuer, Tenant, TenantFacts } from "../tenant/tenant.ts";
import { auditEntry, auditNote, change, nowRfc3339 } from "./change.ts";
import type { AuditNote, ChangeBy, Changed, ChangePorts } from "./change.ts";
import { newDigestKey } from "./digest-keys.ts";
import { checkShown, evidenceAfter, factNames, type Shown } from "./facts.ts";
import { checkCountries, checkCountry, checkTiers } from "./known-names.ts";
import { checkLimits, defaultLimits } from "./limits.ts";
import type { LimitInput } from "./limits.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/** What a request holds of its limits until it is settled; `worst_case` is what a tenant has unless told otherwise. */
export type Holds = "worst_case" | "learned";

/** Absent facts are unknown, which refuses wherever a rule asks for them. */
export interface NewTenant extends AuditNote {
  /** `[a-z0-9_]{3,40}`; made up where absent. */
  readonly id?: string | undefined;
  readonly name: string;
  /** As lists and registers know it. */
  readonly identifiers?: readonly string[] | undefined;
  readonly facts?: { readonly [Fact in keyof TenantFacts]?: TenantFacts[Fact] | null } | undefined;
  /** What shows the facts given here. */
  readonly evidence?: Shown | undefined;
  readonly tiers?: readonly string[] | undefined;
  readonly allowCountries?: readonly Country[] | null | undefined;
  readonly denyCountries?: readonly Country[] | undefined;
  readonly leastEvidence?: EvidenceGrade | null | undefined;
  /** An IANA name; absent: UTC. */
  readonly timeZone?: string | null | undefined;
  readonly holds?: Holds | null | undefined;
  readonly oidc?: OidcIssuer | null | undefined;
  /** Absent: `defaultLimits`. */
  readonly limits?: readonly LimitInput[] | undefined;
}

/** As a JSON merge patch: what is absent stays, what is `null` is cleared. */
export type TenantChange = { readonly [Field in Exclude<keyof NewTenant, "id" | "limits">]?: NewTenant[Field] | undefined };

/** Adds a tenant as `applied`: nobody is served before somebody verified them, so that is a change of its own. */
export async function addTenant(ports: ChangePorts, by: ChangeBy, input: NewTenant): Promise<Outcome<DirectoryEntry>> {
  const id = input.id ?? madeUpId(ports);
  const problems: Problem[] = tenantIdPattern.test(id)
    ? []
    : [{ pointer: "/id", detail: "Write 3 to 40 of a-z, 0-9 and _: the id stands in the public prefix of the tenant's keys." }];
  problems.push(...checkEvidence(ports, input));
  const checkedLimits = checkLimits(ports.catalogue(), [], input.limits ?? defaultLimits, "/limits");
  problems.push(...checkTenant(ports, input), ...checkedLimits.problems);
  const wrong = invalid(problems);
  if (wrong !== undefined) return wrong;

  const now = nowRfc3339(ports.clock);
  const blank: Tenant = {
    id,
    name: input.name,
    facts: unknownFacts,
    verification: { state: "applied", since: now, evidence: input.evidence?.reference, by: input.by, reason: input.reason },
    tiers: [],
    allowCountries: undefined,
    denyCountries: [],
    leastEvidence: undefined,
    oidc: undefined,
    endUserSecret: hex(ports.entropy.bytes(16)),
    digestKeys: [await newDigestKey(ports, id, now)],
    createdAt: now,
  };
  const entry: DirectoryEntry = { revision: 1, tenant: applyChange(blank, input), keys: [], limits: checkedLimits.limits };
  const detail = { ...auditable(entry.tenant), limits: entry.limits.map((limit) => limit.name), ...auditNote(input) };
  // The store's compare-and-set decides, so that two that add one id at once are not both told that it worked.
  const saved = await ports.directory.save(entry, auditEntry(ports, now, by.actor, "tenant.add", id, detail));
  return saved ? done(entry) : no({ kind: "tenant_exists", tenantId: id });
}

/** Changes what is known of a tenant or what it bought; verification, keys and limits have functions of their own. */
export async function changeTenant(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  input: TenantChange,
): Promise<Outcome<Changed<Tenant>>> {
  return change(ports, tenantId, by, (entry) => {
    if (entry.tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const wrong = invalid([...checkTenant(ports, input), ...checkEvidence(ports, input), ...checkSettled(entry.tenant, input)]);
    if (wrong !== undefined) return wrong;
    const tenant = applyChange(entry.tenant, input);
    const detail = difference(auditable(entry.tenant), auditable(tenant));
    if (Object.keys(detail).length === 0) return done({ value: entry.tenant });
    return done({ value: tenant, entry: { tenant }, action: "tenant.change", detail: { ...detail, ...auditNote(input) } });
  });
}

const unknownFacts: TenantFacts = {
  registeredCountry: undefined,
  headquartersCountry: undefined,
  ultimateParentCountry: undefined,
  endUse: undefined,
  audience: undefined,
};

function checkTenant(ports: ChangePorts, input: TenantChange): Problem[] {
  const { registeredCountry, headquartersCountry, ultimateParentCountry } = input.facts ?? {};
  const problems = [
    ...checkCountry(registeredCountry ?? undefined, "/facts/registeredCountry"),
    ...checkCountry(headquartersCountry ?? undefined, "/facts/headquartersCountry"),
    ...checkCountry(ultimateParentCountry ?? undefined, "/facts/ultimateParentCountry"),
    ...checkTiers(ports.catalogue(), input.tiers ?? [], "/tiers"),
    ...checkCountries(input.allowCountries ?? [], "/allowCountries"),
    ...checkCountries(input.denyCountries ?? [], "/denyCountries"),
  ];
  if (typeof input.timeZone === "string" && !isTimeZone(input.timeZone)) {
    const detail = `\`${input.timeZone}\` is no time zone. Write it as IANA names it, such as \`Asia/Singapore\`.`;
    problems.push({ pointer: "/timeZone", detail });
  }
  if (input.allowCountries?.length === 0) {
    problems.push({
      pointer: "/allowCountries",
      detail: "An empty list would allow no country at all; write null to allow any.",
    });
  }
  return problems;
}

function checkEvidence(ports: ChangePorts, { evidence }: TenantChange): Problem[] {
  return evidence === undefined ? [] : checkShown(evidence, nowRfc3339(ports.clock), "/evidence");
}

/** What documents disagree on is settled by a document; to say that a fact is unknown after all needs none. */
function checkSettled({ factsEvidence }: Tenant, { facts = {}, evidence }: TenantChange): Problem[] {
  if (evidence !== undefined) return [];
  return factNames
    .filter((fact) => typeof facts[fact] === "string" && (factsEvidence?.[fact]?.contradictions ?? []).length > 0)
    .map((fact) => ({
      pointer: `/facts/${fact}`,
      detail: "Documents contradict each other here: name the one that settles it as `evidence`, in the command as --evidence.",
    }));
}

function applyChange(tenant: Tenant, input: TenantChange): Tenant {
  const { facts = {} } = input;
  const given = factNames.filter((name) => facts[name] !== undefined);
  // A fact that is only said again is still shown by what showed it.
  const shownAnew = given.filter((name) => input.evidence !== undefined || (facts[name] ?? undefined) !== tenant.facts[name]);
  return {
    ...tenant,
    name: input.name ?? tenant.name,
    identifiers: input.identifiers === undefined ? tenant.identifiers : [...new Set(input.identifiers)],
    facts: { ...tenant.facts, ...Object.fromEntries(given.map((name) => [name, facts[name] ?? undefined])) },
    factsEvidence: evidenceAfter(tenant.factsEvidence, shownAnew, input.evidence),
    tiers: input.tiers === undefined ? tenant.tiers : [...new Set(input.tiers)],
    allowCountries: input.allowCountries === undefined ? tenant.allowCountries : sorted(input.allowCountries),
    denyCountries: input.denyCountries === undefined ? tenant.denyCountries : (sorted(input.denyCountries) ?? []),
    leastEvidence: input.leastEvidence === undefined ? tenant.leastEvidence : (input.leastEvidence ?? undefined),
    timeZone: input.timeZone === undefined ? tenant.timeZone : (input.timeZone ?? undefined),
    holds: input.holds === undefined ? tenant.holds : input.holds === "learned" ? input.holds : undefined,
    oidc: input.oidc === undefined ? tenant.oidc : (input.oidc ?? undefined),
  };
}

function sorted(countries: readonly Country[] | null): readonly Country[] | undefined {
  return countries === null ? undefined : [...new Set(countries)].sort();
}

/** A tenant as the audit shows it: the issuer's key set is named by its key ids, for it is long and says nothing. */
function auditable(tenant: Tenant): Readonly<Record<string, unknown>> {
  const { oidc } = tenant;
  return {
    name: tenant.name,
    identifiers: tenant.identifiers,
    ...tenant.facts,
    factsEvidence: tenant.factsEvidence,
    tiers: tenant.tiers,
    allowCountries: tenant.allowCountries,
    denyCountries: tenant.denyCountries,
    leastEvidence: tenant.leastEvidence,
    timeZone: tenant.timeZone,
    holds: tenant.holds,
    oidc: oidc && {
      issuer: oidc.issuer,
      audience: oidc.audience,
      claims: oidc.claims,
      keys: oidc.jwks.keys.map((key) => key["kid"]),
    },
  };
}

function difference(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const name of Object.keys(to)) {
    if (JSON.stringify(from[name]) === JSON.stringify(to[name])) continue;
    changed[name] = { from: from[name] ?? null, to: to[name] ?? null };
  }
  return changed;
}

function madeUpId(ports: ChangePorts): string {
  return `tenant_${hex(ports.entropy.bytes(8))}`;
}
