import type { Catalogue } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";
import type { Refusal } from "../refusal.ts";
import { bind } from "./bind.ts";
import { CompiledPolicy } from "./compiled-policy.ts";
import type { DecisionInputs } from "./decision-inputs.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { instantOf } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { Horizon } from "./horizon.ts";
import type { Degradation, Permit, RefusedCandidate } from "./permit.ts";
import { refusalOf } from "./refusal-of.ts";

/** What may run, and where. */
export type Grant = Pick<Permit, "model" | "deployments" | "refused" | "rules" | "degradations">;

/** A decision with all that led to it. */
export interface Judgement {
  readonly inputs: DecisionInputs;
  /** Of the model asked for, and then of each lesser one that a rule put in its place; none where no rule was asked. */
  readonly evaluations: readonly Evaluation[];
  readonly outcome:
    | { readonly ok: true; readonly grant: Grant }
    /** `refused`: every candidate, with what speaks against it; none where it did not come to that. */
    | { readonly ok: false; readonly refusal: Refusal; readonly refused: readonly RefusedCandidate[] };
  /** Milliseconds since the epoch: from `inputs.atMs` until just before here the same is decided, whatever the instant. */
  readonly untilMs: number;
}

/**
 * Decides. Pure and total: the same inputs, policy and catalogue give the same judgement, today and in ten years, so that
 * anybody who has them can check it. Nothing else is looked at.
 */
export function decide(inputs: DecisionInputs, policy: Policy, catalogue: Catalogue): Judgement {
  return decideBy(inputs, new CompiledPolicy(policy, catalogue, inputs.atMs));
}

/** As `decide`, by a policy that was made ready for a stretch of time in which the inputs' instant lies. */
export function decideBy(inputs: DecisionInputs, compiled: CompiledPolicy): Judgement {
  const judgement = judge(inputs, compiled);
  const { outcome } = judgement;
  if (inputs.boundTo === undefined || !outcome.ok) return judgement;
  const { grant } = outcome;
  const bound = bind(grant, inputs.boundTo);
  if (!bound.ok) return { ...judgement, outcome: { ok: false, refusal: bound.refusal, refused: grant.refused } };
  return { ...judgement, outcome: { ok: true, grant: { ...grant, deployments: Object.freeze([bound.value]) } } };
}

/** Wherever the request may run, whatever it is bound to. */
function judge(inputs: DecisionInputs, compiled: CompiledPolicy): Judgement {
  const { catalogue } = compiled;
  const horizon = new Horizon(inputs.atMs);
  const evaluations: Evaluation[] = [];
  const end = (outcome: Judgement["outcome"]): Judgement => ({
    inputs,
    evaluations,
    outcome,
    untilMs: Math.min(horizon.untilMs, compiled.untilMs),
  });
  const refuse = (refusal: Refusal, refused: readonly RefusedCandidate[] = noCandidates): Judgement =>
    end({ ok: false, refusal, refused });
  // First, for it is known of a tenant whatever it asks, and before anybody read that.
  const { state } = inputs.tenant;
  if (state !== "verified") return refuse({ kind: "tenant_not_verified", state });
  if (!isInForce(compiled.policy, inputs.atMs)) return refuse({ kind: "policy_not_in_force" });
  const expired = expiryRefusal(inputs, horizon);
  if (expired !== undefined) return refuse(expired);

  const asked = inputs.model ?? "";
  let model = catalogue.models.get(catalogue.modelNames.get(asked) ?? "");
  if (model === undefined) return refuse({ kind: "model_not_found", model: asked });
  for (;;) {
    const applied = evaluations.flatMap(({ replacement }) => (replacement === undefined ? [] : [replacement.by.rule]));
    const evaluation = evaluate(inputs, model, applied, compiled, horizon);
    evaluations.push(evaluation);
    // A lesser model was not named by the client: the refusal says which one it is about.
    const refusal = refusalOf(evaluation, evaluations.length === 1 ? asked : model.id);
    if (refusal !== undefined) return refuse(refusal, candidatesRefusedBy(refusal, evaluation));
    const { replacement } = evaluation;
    if (replacement === undefined) return end({ ok: true, grant: grantOf(evaluation, evaluations, compiled) });
    model = catalogue.models.get(replacement.modelId);
    // Where degrading leads nowhere, or in a circle, the rule that wanted it denies.
    if (model === undefined || evaluations.some((earlier) => earlier.model === model))
      return refuse(denialOf(replacement.by, asked), evaluation.placement.refusedFor(replacement.by));
  }
}

/** Whoever hands over a policy before its time or after it, by a clock of its own or by mistake, gets nothing admitted by it. */
function isInForce({ effectiveFromMs, effectiveToMs }: Policy, atMs: number): boolean {
  return (effectiveFromMs === undefined || atMs >= effectiveFromMs) && (effectiveToMs === undefined || atMs < effectiveToMs);
}

function expiryRefusal({ tenant: { verifiedUntil } }: DecisionInputs, horizon: Horizon): Refusal | undefined {
  if (verifiedUntil === null) return undefined;
  const expiresAtMs = instantOf(verifiedUntil);
  if (expiresAtMs !== undefined && !horizon.isPast(expiresAtMs)) return undefined;
  return { kind: "verification_expired", expiredAt: verifiedUntil };
}

function denialOf({ rule, kind, codes, sentence }: Finding, model: string): Refusal {
  if (kind === "exemption" || kind === "surface") throw new TypeError(`A rule of kind ${kind} degrades nothing.`);
  return { kind: "policy_denied", model, rule: kind, reasons: [...new Set([rule, ...codes])], sentence };
}

const noCandidates: readonly RefusedCandidate[] = Object.freeze([]);

function candidatesRefusedBy({ kind }: Refusal, { subject, placement }: Evaluation): readonly RefusedCandidate[] {
  // It must look like a model that is not there, and where would be a hint that it is.
  if (kind === "model_not_found") return noCandidates;
  const { objections } = subject;
  return placement.refusedFor(objections.find(({ decision }) => decision === "deny") ?? objections[0]);
}

/** Of the last evaluation, by all rules that looked along the way. */
function grantOf({ model, placement, rules }: Evaluation, evaluations: readonly Evaluation[], compiled: CompiledPolicy): Grant {
  return {
    model,
    deployments: placement.admitted,
    refused: placement.refused,
    rules: evaluations.length === 1 ? rules : Object.freeze([...new Set(evaluations.flatMap((each) => each.rules))]),
    degradations: degradationsOf(evaluations, compiled),
  };
}

const none: readonly Degradation[] = Object.freeze([]);

function degradationsOf(evaluations: readonly Evaluation[], { rulesById }: CompiledPolicy): readonly Degradation[] {
  const all = evaluations.flatMap(({ subject, replacement }) =>
    subject.degradations.flatMap((found): Degradation[] => {
      const ruling = rulesById.get(found.rule)?.ruling;
      if (ruling?.decision !== "degrade") return [];
      const { rule, codes } = found;
      if ("without" in ruling) return [Object.freeze({ rule, codes, without: ruling.without })];
      return found === replacement?.by ? [Object.freeze({ rule, codes, toModel: ruling.toModel })] : [];
    }),
  );
  // A rule may look at the model asked for and at the lesser one.
  const each = all.filter(({ rule }, index) => all.findIndex((other) => other.rule === rule) === index);
  return each.length === 0 ? none : Object.freeze(each);
}
