import type { ShelvedPolicy } from "../bundle/policy-shelf.ts";
import { describeRefusal } from "../describe-refusal.ts";
import { findingsOn } from "../policy/deployment-rules.ts";
import { allow, refuse, type Decision } from "../decision.ts";
import { decide, type Grant } from "../policy/decide.ts";
import { inputsOf, type AuthoriseRequest } from "../policy/decision-inputs.ts";
import type { Evaluation } from "../policy/evaluate.ts";
import type { FactOutcome } from "../policy/fact-outcome.ts";
import type { Finding } from "../policy/finding.ts";
import type { Deployment, EvidenceGrade, Model, Surface } from "../region/catalogue.ts";
import { showCountries } from "../region/country.ts";
import { priceAt } from "../region/price-at.ts";
import { concerns, hits, namesPlace } from "../revocation/matches.ts";
import { isInForce, isQuarantine, type RevocationOrder } from "../revocation/order.ts";
import { chances } from "../routing/choose.ts";
import type { Health } from "../routing/health.ts";
import type { Credentials } from "../upstream/address.ts";
import { checkScope, type Caller } from "../tenant/authenticate.ts";

type KeyReach = Pick<Caller, "keyId" | "scopes">;

/** What stands between a decision and the deployments beside the rules. */
export interface Reach {
  /** `undefined`: no key is named, and what is said of single keys does not count. */
  readonly key: KeyReach | undefined;
  readonly orders: readonly RevocationOrder[];
  readonly credentials: Credentials;
}

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

/** An order that takes a deployment away. */
export interface CutOffDocument {
  order: string;
  reason: string;
  /** Given by the gateway itself, because the upstream contradicted where it is. */
  quarantine: boolean;
}

export interface CandidateDocument {
  deployment: string;
  region: string;
  sku: string;
  /** `*`: anywhere. `?`: unknown. */
  countries: string;
  evidence: EvidenceGrade;
  /** By the rules. */
  admitted: boolean;
  /** By which orders it is cut off all the same. */
  cutOffBy: CutOffDocument[];
  findings: FindingDocument[];
  inputMicroUsdPerMillion: number;
  outputMicroUsdPerMillion: number;
  /** Moving average of the time to the first byte, as this process measured it; `null`: not yet. */
  latencyMs: number | null;
  /** Whether this process has its region's credential; without, it is never tried. */
  hasCredential: boolean;
  available: boolean;
  /** How probable it is that it is tried first, of 10,000. */
  chanceBasisPoints: number;
}

export interface ExplanationDocument {
  tenant: string;
  model: string;
  surface: string;
  at: string;
  /** Whose scope counts, and the orders against it. */
  key: string | null;
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
  { key, orders, credentials }: Reach,
): ExplanationDocument {
  const { outcome, evaluations } = decide(inputsOf(asked, atMs), policy, catalogue);
  const concerning = (model: Model): readonly RevocationOrder[] =>
    orders.filter(
      (order) => isOrderedAt(order, atMs) && concerns(order, { tenant: asked.tenant, keyId: key?.keyId ?? "", model }),
    );
  const inReach = ({ region }: Deployment): boolean => credentials(region) !== undefined;
  const decided = outcome.ok ? reached(outcome.grant, asked.surface, key, concerning(outcome.grant.model), inReach) : outcome;
  const chosen = decided.ok ? chances(decided.value, health, nowMs) : new Map<string, number>();
  return {
    tenant: asked.tenant.id,
    model: asked.modelName,
    surface: asked.surface,
    at: new Date(atMs).toISOString(),
    policy: { version: policy.version, digest: policy.digest, file },
    catalogueDigest: catalogue.digest,
    key: key?.keyId ?? null,
    served: outcome.ok && decided.ok ? outcome.grant.model.id : null,
    refusal: decided.ok ? null : { kind: decided.refusal.kind, message: describeRefusal(decided.refusal).message },
    evaluations: evaluations.map((evaluation) => ({
      model: evaluation.model.id,
      subject: evaluation.findings().map(findingDocument),
      candidates: candidatesOf(evaluation, concerning(evaluation.model), inReach, chosen, atMs, health, nowMs),
    })),
  };
}

/** What of a grant is left to the key, by the orders that concern the subject, and in reach. */
function reached(
  { model, deployments }: Grant,
  surface: Surface,
  key: KeyReach | undefined,
  orders: readonly RevocationOrder[],
  inReach: (deployment: Deployment) => boolean,
): Decision<readonly Deployment[]> {
  const scope = key === undefined ? allow(undefined) : checkScope(key, model.id, surface);
  if (!scope.ok) return scope;
  const usable = deployments.filter(inReach);
  const left = usable.filter((deployment) => !orders.some((order) => hits(order, deployment)));
  const [first] = orders;
  if (left.length > 0) return allow(left);
  if (first === undefined || usable.length === 0) return refuse({ kind: "no_deployment_available", retryAfterMs: 1_000 });
  return refuse({ kind: "revoked", order: (orders.find(({ scope: of }) => !namesPlace(of)) ?? first).id });
}

function isOrderedAt(order: RevocationOrder, atMs: number): boolean {
  return order.issuedAtMs <= atMs && isInForce(order, atMs);
}

function cutOffDocument(order: RevocationOrder): CutOffDocument {
  return { order: order.id, reason: order.reason, quarantine: isQuarantine(order) };
}

/** Those that would be tried first come first, and those that are refused last. */
function candidatesOf(
  { subject, placement }: Evaluation,
  orders: readonly RevocationOrder[],
  inReach: (deployment: Deployment) => boolean,
  chosen: ReadonlyMap<string, number>,
  atMs: number,
  health: Health,
  nowMs: number,
): CandidateDocument[] {
  const canBeTried = ({ admitted, cutOffBy, hasCredential }: CandidateDocument): number =>
    Number(admitted && cutOffBy.length === 0 && hasCredential);
  const candidates = placement.candidates().map(({ deployment, objections }): CandidateDocument => ({
    ...deploymentDocument(deployment, atMs, health, nowMs),
    admitted: objections.length === 0 && subject.objections.length === 0,
    cutOffBy: orders.filter((order) => hits(order, deployment)).map(cutOffDocument),
    hasCredential: inReach(deployment),
    findings: findingsOn(objections, placement.checks).map(findingDocument),
    chanceBasisPoints: Math.round((chosen.get(deployment.id) ?? 0) * 10_000),
  }));
  return candidates.sort((one, other) => canBeTried(other) - canBeTried(one) || other.chanceBasisPoints - one.chanceBasisPoints);
}

function deploymentDocument(
  deployment: Deployment,
  atMs: number,
  health: Health,
  nowMs: number,
): Omit<CandidateDocument, "admitted" | "cutOffBy" | "hasCredential" | "findings" | "chanceBasisPoints"> {
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
