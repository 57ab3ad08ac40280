import type { CandidateDocument, CutOffDocument, ExplanationDocument, FindingDocument } from "../../../control/explain.ts";
import type { Command } from "./command.ts";
import { usageFailure } from "./failure.ts";
import { fields, table } from "./table.ts";
import { showMicroUsd } from "./values.ts";

export const explainCommand: Command = {
  path: ["explain"],
  summary: "explain by which rules a tenant's request for a model would be admitted or refused, and where it would go",
  arguments: [],
  options: [
    { name: "tenant", value: "TENANT", help: "who asks" },
    { name: "model", value: "MODEL", help: "for which model" },
    { name: "surface", value: "SURFACE", help: "chat.completions, messages, …; without, the first that the model has" },
    { name: "key", value: "KEY", help: "by the id of a key, whose scope and orders then count too" },
    { name: "at", value: "TIME", help: "by the policy of then, RFC 3339; now without" },
  ],
  notes: "Of a rule that found nothing against it only --json tells.",
  async run(input, session) {
    const tenant = input.option("tenant");
    const query = new URLSearchParams();
    for (const name of ["model", "surface", "key", "at"]) {
      const value = input.option(name);
      if (value !== undefined) query.set(name, value);
    }
    if (tenant === undefined || !query.has("model")) throw usageFailure("Name who asks for what: --tenant TENANT --model MODEL.");
    const path = `/tenants/${encodeURIComponent(tenant)}/explain?${query.toString()}`;
    const { document } = await session.client().send<ExplanationDocument>({ method: "GET", path });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const { policy, refusal, served } = document;
    session.print(
      fields([
        ["tenant", document.tenant],
        ["model", `${document.model} (${document.surface})`],
        ["policy", `${policy.version}, digest ${policy.digest.slice(0, 12)}, at ${document.at}`],
        ["decision", refusal === null ? `served by ${served ?? ""}` : `refused (${refusal.kind}): ${refusal.message}`],
      ]),
    );
    for (const { model, subject, candidates } of document.evaluations) {
      const objections = subject.filter(speaks);
      session.print(`\n${model}, to this tenant:\n${objections.length === 0 ? `  ${silent(subject)}` : listed(objections)}\n`);
      session.print(
        table(["", "DEPLOYMENT", "SKU", "EVIDENCE", "IN", "OUT", "MS", "FIRST", "COUNTRIES", "BECAUSE"], candidates.map(row)),
      );
    }
  },
};

function speaks({ decision, liftedBy }: FindingDocument): boolean {
  return decision !== "allow" || liftedBy !== null;
}

/** The rules that looked and let it pass. */
function silent(findings: readonly FindingDocument[]): string {
  return `nothing against it: ${findings.map(({ rule }) => rule).join(", ")}`;
}

function listed(findings: readonly FindingDocument[]): string {
  return findings.map((finding) => `  ${finding.decision}  ${because(finding)}`).join("\n");
}

function because({ rule, outcome, reason, liftedBy }: FindingDocument): string {
  return `${rule}: ${reason} (${outcome})${liftedBy === null ? "" : `, lifted by ${liftedBy}`}`;
}

function cutOff({ order, reason, quarantine }: CutOffDocument): string {
  return `${quarantine ? "quarantined by" : "revoked by"} ${order}: ${reason}`;
}

function stateOf({ admitted, available, cutOffBy, hasCredential }: CandidateDocument): string {
  if (!admitted) return "no";
  if (cutOffBy.length > 0) return "cut off";
  if (!hasCredential) return "no credential";
  return available ? "yes" : "rests";
}

function row(candidate: CandidateDocument): (string | number | null)[] {
  const { admitted, cutOffBy, hasCredential, chanceBasisPoints, countries, findings } = candidate;
  const objections = [...cutOffBy.map(cutOff), ...findings.filter(speaks).map(because)];
  return [
    stateOf(candidate),
    candidate.deployment,
    candidate.sku,
    candidate.evidence,
    showMicroUsd(candidate.inputMicroUsdPerMillion),
    showMicroUsd(candidate.outputMicroUsdPerMillion),
    candidate.latencyMs,
    admitted && hasCredential ? `${(chanceBasisPoints / 100).toFixed(1)} %` : null,
    countries.length > 23 ? `${countries.slice(0, 20)}...` : countries,
    objections.length === 0 ? silent(findings) : objections.join("; "),
  ];
}
