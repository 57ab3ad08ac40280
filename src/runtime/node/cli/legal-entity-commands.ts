import type { OwnershipDocument, TenantDocument } from "../../../control/documents.ts";
import { factNames } from "../../../control/facts.ts";
import { required } from "./command.ts";
import type { Command, Input, Option, Session } from "./command.ts";
import { usageFailure } from "./failure.ts";
import { fields, table } from "./table.ts";
import { tenantArgument, tenantPath } from "./tenant-path.ts";
import { jsonFile } from "./values.ts";

/** For every change that the audit should explain. */
export const auditOptions: readonly Option[] = [
  { name: "reason", value: "TEXT", help: "why, for the audit" },
  { name: "by", value: "NAME", help: "who decided it, for the audit" },
];

export function auditMembers(input: Input): { readonly reason: string | undefined; readonly by: string | undefined } {
  return { reason: input.option("reason"), by: input.option("by") };
}

const shownOptions: readonly Option[] = [
  { name: "evidence", value: "REFERENCE", help: "the document that says it; a reference, not the document" },
  { name: "as-of", value: "TIME", help: "as of when it says it, as RFC 3339 or a date" },
];

/** What `--evidence` and `--as-of` name together; a day begins in UTC. */
export function shownBy(input: Input): { readonly reference: string; readonly asOf: string } | undefined {
  const reference = input.option("evidence");
  const asOf = input.option("as-of");
  if (reference === undefined && asOf === undefined) return undefined;
  if (reference === undefined || asOf === undefined)
    throw usageFailure("Name the document and its date together: --evidence REFERENCE --as-of 2026-11-01.");
  return { reference, asOf: /^\d{4}-\d{2}-\d{2}$/.test(asOf) ? `${asOf}T00:00:00Z` : asOf };
}

const facts: Command = {
  path: ["tenant", "facts"],
  summary: "show what is known of a tenant, what shows it, and what speaks against it",
  arguments: [tenantArgument],
  options: [],
  async run(input, session) {
    const { document } = await session.client().send<TenantDocument>({ method: "GET", path: tenantPath(input) });
    showFacts(document, session);
  },
};

const fact: Command = {
  path: ["tenant", "fact"],
  summary: "take what a document says of one fact",
  arguments: [tenantArgument, { name: "FACT", help: factNames.join(", ") }, { name: "VALUE", help: "what it says" }],
  options: [...shownOptions, ...auditOptions],
  notes:
    "It makes the fact known, shows it anew, or contradicts it. What is contradicted refuses wherever a rule asks for it, until " +
    "strait tenant change settles it.",
  async run(input, session) {
    const evidence = shownBy(input);
    if (evidence === undefined) throw usageFailure("Name the document that says it: --evidence REFERENCE --as-of 2026-11-01.");
    const body = { fact: required(input, "FACT"), value: required(input, "VALUE"), evidence, ...auditMembers(input) };
    const path = `${tenantPath(input)}/facts`;
    showFacts((await session.client().send<TenantDocument>({ method: "POST", path, body })).document, session);
  },
};

const owners: Command = {
  path: ["tenant", "owners"],
  summary: "show who owns a tenant, or say it",
  arguments: [tenantArgument],
  options: [
    {
      name: "file",
      value: "FILE",
      help: "a JSON document with `owners` and `holdings` (`-`: standard input); replaces all of them",
    },
    { name: "unresolved", help: "forget what was known, so that ownership is unresolved" },
    ...auditOptions,
  ],
  notes:
    'An owner has id, name, kind (company, person, state, dispersed), country and identifiers; a holding has owner, of ("tenant", or ' +
    "an owner that is a company), basisPoints (5000 is half), evidence and asOf.",
  async run(input, session) {
    const file = input.option("file");
    if (file !== undefined && input.isOn("unresolved")) throw usageFailure("Give --file or --unresolved, not both.");
    const client = session.client();
    if (file === undefined && !input.isOn("unresolved"))
      return showOwners((await client.send<TenantDocument>({ method: "GET", path: tenantPath(input) })).document, session);
    const body = { ownership: file === undefined ? null : jsonFile(file), ...auditMembers(input) };
    const path = `${tenantPath(input)}/ownership`;
    showOwners((await client.send<TenantDocument>({ method: "PUT", path, body })).document, session);
  },
};

export const legalEntityCommands: readonly Command[] = [facts, fact, owners];

function showFacts(tenant: TenantDocument, session: Session): void {
  if (session.json) return session.print(JSON.stringify(tenant, undefined, 2));
  const rows = factNames.map((name) => {
    const evidence = tenant.factsEvidence[name];
    const against = (evidence?.contradictions ?? []).map(({ value, reference }) => `${value} (${reference})`).join(", ");
    return [name, evidence?.asOf.slice(0, 10), evidence?.reference, against, tenant.facts[name] ?? "unknown"];
  });
  session.print(table(["FACT", "AS OF", "EVIDENCE", "CONTRADICTED BY", "VALUE"], rows));
  showHoldings(tenant.ownership, session);
}

function showOwners(tenant: TenantDocument, session: Session): void {
  if (session.json) return session.print(JSON.stringify(tenant.ownership, undefined, 2));
  showHoldings(tenant.ownership, session);
}

function showHoldings(ownership: OwnershipDocument | null, session: Session): void {
  if (ownership === null) return session.print(fields([["owners", "unresolved"]]));
  const named = new Map(ownership.owners.map((owner) => [owner.id, owner]));
  const rows = ownership.holdings.map(({ owner, of, basisPoints, evidence, asOf }) => {
    const { kind, country, name } = named.get(owner) ?? { kind: null, country: null, name: null };
    const share = basisPoints === null ? "unknown" : `${basisPoints / 100} %`;
    return [owner, kind, country ?? "unknown", share, of, asOf.slice(0, 10), evidence, name];
  });
  session.print(table(["OWNER", "KIND", "COUNTRY", "HOLDS", "OF", "AS OF", "EVIDENCE", "NAME"], rows));
}
