import type { ShelvedPolicy } from "../bundle/policy-shelf.ts";
import { describeRefusal } from "../describe-refusal.ts";
import { findingsOn } from "../policy/deployment-rules.ts";
import { decide } from "../policy/decide.ts";
import { inputsOf, type AuthoriseRequest } from "../policy/decision-inputs.ts";
import type { Evaluation } from "../policy/evaluate.ts";
import type { FactOutcome } from "../policy/fact-outcome.ts";
import type { Finding } from "../policy/finding.ts";
import type { Deployment, EvidenceGrade } from "../region/catalogue.ts";
import { showCountries } from "../region/country.ts";
import { priceAt } from "../region/price-at.ts";
import { chances } from "../routing/choose.ts";
import type { Health } from "../routing/health.ts";

export interface FindingDocument {
  rule: string;
  kind: string;
  /** What it found of the facts that it asks for. */
  outcome: FactOutcome;
  decision: "allow" | "deny" | "review" | "degrade";
  codes: string[];
  reason: string;
  /** The exemption that took it away. */
  liftedBy: string | null;
}

export interface CandidateDocument {
  deployment: string;
  region: string;
  sku: string;
  /** `*`: anywhere. `?`: unknown. */
  countries: string;
  evidence: EvidenceGrade;
  admitted: boolean;
  findings: FindingDocument[];
  inputMicroUsdPerMillion: number;
  outputMicroUsdPerMillion: number;
  /** Moving average of the time to the first byte, as this process measured it; `null`: not yet. */
  latencyMs: number | null;
  available: boolean;
  /** How probable it is that it is tried first, of 10,000. */
  chanceBasisPoints: number;
}

export interface ExplanationDocument {
  tenant: string;
  model: string;
  surface: string;
  at: string;
  policy: { version: string; digest: string; file: string };
  catalogueDigest: string;
  /** The model that would answer; `null`: the request would be refused. */
  served: string | null;
  refusal: { kind: string; message: string } | null;
  /** Of the model asked for, then of each lesser one that a rule puts in its place. */
  evaluations: { model: string; subject: FindingDocument[]; candidates: CandidateDocument[] }[];
}

/** What would be decided for a tenant's plain request at an instant, by which rules, and what would be chosen now. */
export function explain(
  asked: AuthoriseRequest,
  { world: { policy, catalogue }, file }: ShelvedPolicy,
  atMs: number,
  health: Health,
  nowMs: number,
): ExplanationDocument {
  const { outcome, evaluations } = decide(inputsOf(asked, atMs), policy, catalogue);
  const chosen = outcome.ok ? chances(outcome.grant.deployments, health, nowMs) : new Map<string, number>();
  return {
    tenant: asked.tenant.id,
    model: asked.modelName,
    surface: asked.surface,
    at: new Date(atMs).toISOString(),
    policy: { version: policy.version, digest: policy.digest, file },
    catalogueDigest: catalogue.digest,
    served: outcome.ok ? outcome.grant.model.id : null,
    refusal: outcome.ok ? null : { kind: outcome.refusal.kind, message: describeRefusal(outcome.refusal).message },
    evaluations: evaluations.map((evaluation) => ({
      model: evaluation.model.id,
      subject: evaluation.subject.findings.map(findingDocument),
      candidates: candidatesOf(evaluation, chosen, atMs, health, nowMs),
    })),
  };
}

/** Those that would be tried first come first, and those that are refused last. */
function candidatesOf(
  { subject, placement }: Evaluation,
  chosen: ReadonlyMap<string, number>,
  atMs: number,
  health: Health,
  nowMs: number,
): CandidateDocument[] {
  const candidates = placement.candidates.map(({ deployment, objections }): CandidateDocument => ({
    ...deploymentDocument(deployment, atMs, health, nowMs),
    admitted: objections.length === 0 && subject.objections.length === 0,
    findings: findingsOn(objections, placement.checks).map(findingDocument),
    chanceBasisPoints: Math.round((chosen.get(deployment.id) ?? 0) * 10_000),
  }));
  return candidates.sort(
    (one, other) => Number(other.admitted) - Number(one.admitted) || other.chanceBasisPoints - one.chanceBasisPoints,
  );
}

function deploymentDocument(
  deployment: Deployment,
  atMs: number,
  health: Health,
  nowMs: number,
): Omit<CandidateDocument, "admitted" | "findings" | "chanceBasisPoints"> {
  const { price } = priceAt(deployment, atMs);
  const seen = health.of(deployment.id);
  return {
    deployment: deployment.id,
    region: deployment.region.id,
    sku: deployment.sku,
    countries: showCountries(deployment.countries),
    evidence: deployment.evidence,
    inputMicroUsdPerMillion: price.inputMicroUsdPerMillion,
    outputMicroUsdPerMillion: price.outputMicroUsdPerMillion,
    latencyMs: seen.latencyMs === undefined ? null : Math.round(seen.latencyMs),
    available: seen.available(nowMs),
  };
}

function findingDocument({ rule, kind, outcome, decision, codes, reason, liftedBy }: Finding): FindingDocument {
  return { rule, kind, outcome, decision, codes: [...codes], reason, liftedBy: liftedBy ?? null };
}
