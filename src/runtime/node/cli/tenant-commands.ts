import type { TenantDocument } from "../../../control/documents.ts";
import { required } from "./command.ts";
import type { Command, Input, Option, Session } from "./command.ts";
import { auditMembers, auditOptions, legalEntityCommands, shownBy } from "./legal-entity-commands.ts";
import { tenantArgument, tenantPath } from "./tenant-path.ts";
import { usageFailure } from "./failure.ts";
import { fields, listed, table } from "./table.ts";
import { commaList, expiry, jsonFile } from "./values.ts";

const factOptions: readonly Option[] = [
  { name: "name", value: "NAME", help: "what the company is called" },
  { name: "registered-country", value: "CC", help: "where it is registered, as ISO 3166-1 alpha-2; `unknown` clears it" },
  { name: "headquarters-country", value: "CC", help: "where its headquarters are" },
  { name: "parent-country", value: "CC", help: "where its ultimate parent is" },
  { name: "end-use", value: "TEXT", help: "what it declared to use the models for" },
  { name: "audience", value: "internal|public-facing", help: "whom it serves with them" },
  { name: "evidence", value: "REFERENCE", help: "the document that shows the facts named here; needs --as-of" },
  { name: "as-of", value: "TIME", help: "as of when it shows them, as RFC 3339 or a date" },
  { name: "identifiers", value: "ID,ID", help: "as lists and registers know it, such as LEI:…; `none` clears them" },
  { name: "tiers", value: "A,B", help: "tiers of models that it bought" },
  { name: "allow-countries", value: "CC,CC", help: "the only countries it allows; `any` clears it" },
  { name: "deny-countries", value: "CC,CC", help: "countries it denies; `none` clears it" },
  { name: "least-evidence", value: "GRADE", help: "the least evidence of place it accepts; `policy` takes the policy's" },
  { name: "time-zone", value: "ZONE", help: "where the days and months of its limits begin, as IANA names it; `UTC` clears it" },
  { name: "holds", value: "worst_case|learned", help: "what a request holds of its limits until it is settled" },
  { name: "file", value: "FILE", help: "a JSON document as the API takes it (`-`: standard input); options win over it" },
];

const add: Command = {
  path: ["tenant", "add"],
  summary: "add a tenant, which is served once it is verified",
  arguments: [tenantArgument],
  options: [...factOptions, ...auditOptions],
  async run(input, session) {
    const id = required(input, "TENANT");
    const body = { name: id, ...tenantBody(input), ...auditMembers(input), id };
    const { document } = await session.client().send<TenantDocument>({ method: "POST", path: "/tenants", body });
    show(document, session);
    if (!session.json) session.remark(`Not served yet: strait tenant verify ${id} --evidence REFERENCE --reason TEXT --by NAME`);
  },
};

const change: Command = {
  path: ["tenant", "change"],
  summary: "change what is known of a tenant or what it bought",
  arguments: [tenantArgument],
  options: [...factOptions, ...auditOptions],
  notes: "A fact on which documents disagree is settled by the one named with --evidence and --as-of.",
  async run(input, session) {
    const changes = tenantBody(input);
    if (Object.keys(changes).length === 0) throw usageFailure("Nothing to change: name at least one option; --help lists them.");
    const body = { ...changes, ...auditMembers(input) };
    const path = tenantPath(input);
    show((await session.client().send<TenantDocument>({ method: "PATCH", path, body })).document, session);
  },
};

const list: Command = {
  path: ["tenant", "list"],
  summary: "list all tenants",
  arguments: [],
  options: [],
  async run(_, session) {
    const client = session.client();
    const tenants: TenantDocument[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const after: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { document } = await client.send<{ tenants: TenantDocument[]; nextCursor: string | null }>({
        method: "GET",
        path: `/tenants?count=500${after}`,
      });
      tenants.push(...document.tenants);
      cursor = document.nextCursor;
    }
    if (session.json) return session.print(JSON.stringify({ tenants, nextCursor: null }, undefined, 2));
    if (tenants.length === 0) return session.remark("There is no tenant yet: strait tenant add --help");
    const rows = tenants.map(({ id, verification, facts, tiers, createdAt, name }) => [
      id,
      verification.state,
      facts.registeredCountry,
      facts.ultimateParentCountry,
      listed(tiers, "-"),
      createdAt.slice(0, 10),
      name,
    ]);
    session.print(table(["TENANT", "STATE", "REGISTERED", "PARENT", "TIERS", "SINCE", "NAME"], rows));
  },
};

const showCommand: Command = {
  path: ["tenant", "show"],
  summary: "show a tenant",
  arguments: [tenantArgument],
  options: [],
  async run(input, session) {
    show((await session.client().send<TenantDocument>({ method: "GET", path: tenantPath(input) })).document, session);
  },
};

const expiresOption: Option = {
  name: "expires",
  value: "TIME",
  help: "until when the evidence admits, as RFC 3339 or as days from now (365d)",
};
/** What every step of the onboarding must be explained by. */
const stepOptions = [
  { name: "evidence", value: "REFERENCE", help: "the document that shows it; a reference, not the document" },
  { name: "reason", value: "TEXT", help: "why" },
  { name: "by", value: "NAME", help: "who decided it: a person or desk" },
] as const satisfies readonly Option[];

export const tenantCommands: readonly Command[] = [
  add,
  list,
  showCommand,
  change,
  ...legalEntityCommands,
  verification("review", "under_review", "take a tenant under review; it is not served meanwhile"),
  verification("verify", "verified", "verify a tenant on the evidence named; it is served from the next request on", [
    expiresOption,
  ]),
  verification("suspend", "suspended", "stop serving a tenant from the next request on"),
  verification("close", "closed", "close a tenant for good"),
];

function verification(word: string, state: string, summary: string, options: readonly Option[] = []): Command {
  return {
    path: ["tenant", word],
    summary,
    arguments: [tenantArgument],
    options: [...stepOptions, ...options],
    notes:
      "The step goes into the tenant's audit (strait audit TENANT) with who decided it, why, and what shows it: name all three.",
    async run(input, session) {
      const missing = stepOptions.filter(({ name }) => input.option(name) === undefined);
      if (missing.length > 0)
        throw usageFailure(`Name ${missing.map(({ name, value, help }) => `${help} (--${name} ${value})`).join(", and ")}.`);
      const expires = input.option("expires");
      const expiresAt = expires === undefined ? undefined : expiry(expires, Date.now());
      const body = { state, evidence: input.option("evidence"), expiresAt, ...auditMembers(input) };
      const path = `${tenantPath(input)}/verification`;
      show((await session.client().send<TenantDocument>({ method: "POST", path, body })).document, session);
    },
  };
}

/** Only what was written on the command line, so that it serves for adding and for a merge patch. */
function tenantBody(input: Input): Record<string, unknown> {
  const file = input.option("file");
  const body: Record<string, unknown> = {};
  if (file !== undefined) Object.assign(body, objectFile(file));
  const cleared = (name: string, word: string): string | null | undefined =>
    input.option(name) === word ? null : input.option(name);
  const facts = defined({
    registeredCountry: cleared("registered-country", "unknown"),
    headquartersCountry: cleared("headquarters-country", "unknown"),
    ultimateParentCountry: cleared("parent-country", "unknown"),
    endUse: cleared("end-use", "unknown"),
    audience: cleared("audience", "unknown"),
  });
  if (Object.keys(facts).length > 0) body["facts"] = { ...(body["facts"] as object | undefined), ...facts };
  const allow = cleared("allow-countries", "any");
  const deny = cleared("deny-countries", "none");
  const identifiers = cleared("identifiers", "none");
  const tiers = input.option("tiers");
  return Object.assign(
    body,
    defined({
      name: input.option("name"),
      identifiers: identifiers === null ? [] : identifiers === undefined ? undefined : commaList(identifiers),
      evidence: shownBy(input),
      tiers: tiers === undefined ? undefined : commaList(tiers),
      allowCountries: typeof allow === "string" ? commaList(allow) : allow,
      denyCountries: deny === null ? [] : deny === undefined ? undefined : commaList(deny),
      leastEvidence: cleared("least-evidence", "policy"),
      timeZone: cleared("time-zone", "UTC"),
      holds: input.option("holds"),
    }),
  );
}

function objectFile(path: string): object {
  const document = jsonFile(path);
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw usageFailure(`${path} holds no JSON object.`);
  return document;
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function show(tenant: TenantDocument, session: Session): void {
  if (session.json) return session.print(JSON.stringify(tenant, undefined, 2));
  const { facts, verification: verified } = tenant;
  session.print(
    fields([
      ["tenant", tenant.id],
      ["name", tenant.name],
      ["state", `${verified.state} since ${verified.since}`],
      ["evidence", verified.evidence],
      ["expires", verified.expiresAt],
      ["decided by", verified.by],
      ["reason", verified.reason],
      ["legal hold", tenant.legalHold && `since ${tenant.legalHold.since}: ${tenant.legalHold.reason}`],
      ["identifiers", listed(tenant.identifiers, "-")],
      ["registered in", facts.registeredCountry ?? "unknown"],
      ["headquarters in", facts.headquartersCountry ?? "unknown"],
      ["ultimate parent in", facts.ultimateParentCountry ?? "unknown"],
      ["end use", facts.endUse ?? "unknown"],
      ["audience", facts.audience ?? "unknown"],
      ["tiers", listed(tenant.tiers, "-")],
      ["allows countries", listed(tenant.allowCountries, "any")],
      ["denies countries", listed(tenant.denyCountries, "-")],
      ["least evidence", tenant.leastEvidence ?? "as the policy says"],
      ["time zone", tenant.timeZone],
      ["holds", tenant.holds],
      ["OIDC issuer", tenant.oidc?.issuer],
      ["added", tenant.createdAt],
      ["revision", tenant.revision],
    ]),
  );
}
