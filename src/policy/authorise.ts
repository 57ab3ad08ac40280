import { allow, refuse, type Decision } from "../decision.ts";
import type { Catalogue, Deployment } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { eraAt, type Era } from "./era.ts";
import { evaluateSubject, type AuthoriseRequest, type Evaluation } from "./evaluate.ts";
import type { Permit, RefusedCandidate } from "./permit.ts";
import { refusalOf } from "./refusal-of.ts";
import { subjectKey, subjectOf } from "./subject.ts";

/** Every permit ever made here, by identity. Nothing else adds to it, and it is not exported. */
const genuine = new WeakSet<Permit>();

/** What an evaluation comes to for every tenant of the same subject. */
type Outcome = Pick<Permit, "model" | "deployments" | "refused" | "rules"> | { readonly refusal: Refusal };

type Decisions = Map<string, Decision<Permit>>;

interface Memory {
  readonly era: Era;
  readonly tenants: WeakMap<Tenant, Decisions>;
  readonly outcomes: Map<string, Outcome>;
  /** How many candidates the outcomes hold. */
  candidates: number;
}

/** The last era's memory: decisions cannot change within it. Replaced as a whole when policy, catalogue or date move on. */
let remembered: Memory | undefined;

/** Tenants that differ in every fact must not fill the memory: past this many candidates in all outcomes it starts anew. */
const mostCandidates = 100_000;

/**
 * Where this tenant's request for this model may run, as a permit, or the refusal that says which kind of rule said no.
 * Pure: the same tenant, policy, catalogue and instant give the same decision, so that it may be remembered. All three
 * objects are taken as immutable; a change is a new object.
 */
export function authorise(request: AuthoriseRequest, policy: Policy, catalogue: Catalogue, atMs: number): Decision<Permit> {
  const { tenant, modelName, surface } = request;
  if (!isInForce(policy, atMs)) return refuse({ kind: "policy_not_in_force" });
  const { state } = tenant.verification;
  if (state !== "verified") return refuse({ kind: "tenant_not_verified", state });
  const memory = memoryAt(policy, catalogue, atMs);
  let decisions = memory.tenants.get(tenant);
  if (decisions === undefined) memory.tenants.set(tenant, (decisions = new Map()));
  const key = `${surface} ${modelName}`;
  const known = decisions.get(key);
  if (known !== undefined) return known;
  const model = catalogue.models.get(catalogue.modelNames.get(modelName) ?? "");
  // Not remembered: names that clients make up are without end.
  if (model === undefined) return refuse({ kind: "model_not_found", model: modelName });
  const subject = subjectOf(tenant, model);
  const outcomeKey = `${key} ${subjectKey(subject)}`;
  let outcome = memory.outcomes.get(outcomeKey);
  if (outcome === undefined) {
    outcome = outcomeOf(evaluateSubject(subject, model, surface, policy, catalogue, atMs), modelName);
    remember(memory, outcomeKey, outcome);
  }
  const decision = Object.freeze(
    "refusal" in outcome
      ? refuse(outcome.refusal)
      : allow(
          issue({
            ...outcome,
            tenantId: tenant.id,
            policyVersion: policy.version,
            policyDigest: policy.digest,
            catalogueDigest: catalogue.digest,
          }),
        ),
  );
  decisions.set(key, decision);
  return decision;
}

/** Whoever hands over a policy before its time or after it, by a clock of its own or by mistake, gets nothing admitted by it. */
function isInForce({ effectiveFromMs, effectiveToMs }: Policy, atMs: number): boolean {
  return (effectiveFromMs === undefined || atMs >= effectiveFromMs) && (effectiveToMs === undefined || atMs < effectiveToMs);
}

function memoryAt(policy: Policy, catalogue: Catalogue, atMs: number): Memory {
  const era = eraAt(remembered?.era, policy, catalogue, atMs);
  if (remembered?.era !== era) remembered = { era, tenants: new WeakMap(), outcomes: new Map(), candidates: 0 };
  return remembered;
}

function remember(memory: Memory, key: string, outcome: Outcome): void {
  memory.candidates += "refusal" in outcome ? 1 : outcome.deployments.length + outcome.refused.length;
  if (memory.candidates > mostCandidates) {
    memory.outcomes.clear();
    memory.candidates = 0;
  }
  memory.outcomes.set(key, outcome);
}

function outcomeOf(evaluation: Evaluation, modelName: string): Outcome {
  const refusal = refusalOf(evaluation, modelName);
  if (refusal !== undefined) return { refusal: Object.freeze(refusal) };
  const { candidates, model, rules } = evaluation;
  return {
    model,
    deployments: Object.freeze(candidates.filter(({ admitted }) => admitted).map(({ deployment }) => deployment)),
    refused: Object.freeze(candidates.flatMap(({ deployment, objections }) => refusedCandidate(deployment, objections[0]))),
    rules: Object.freeze([...rules]),
  };
}

function refusedCandidate(
  deployment: Deployment,
  objection: Omit<RefusedCandidate, "deployment"> | undefined,
): RefusedCandidate[] {
  if (objection === undefined) return [];
  const { kind, rule, reason } = objection;
  return [Object.freeze({ deployment: deployment.id, kind, rule, reason })];
}

function issue(permit: Permit): Permit {
  const frozen = Object.freeze(permit);
  genuine.add(frozen);
  return frozen;
}

/** Whether this very object was made here. */
export function isPermit(permit: unknown): permit is Permit {
  return typeof permit === "object" && permit !== null && genuine.has(permit as Permit);
}

/**
 * Stands right before a request leaves.
 * @throws {TypeError} if the permit is not genuine or the deployment is not one of those that it names.
 */
export function assertPermitted(permit: Permit, deployment: Deployment): void {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  if (!permit.deployments.includes(deployment)) throw new TypeError(`The permit does not name the deployment ${deployment.id}.`);
}

/**
 * The permit for one deployment alone, for what lives in the upstream that made it, such as a stored response. Where
 * the policy does not permit that deployment, the refusal is the rule's; where the deployment is gone, so is `id`.
 */
export function narrow(permit: Permit, deploymentId: string, id: string): Decision<Permit> {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  const deployment = permit.deployments.find((candidate) => candidate.id === deploymentId);
  if (deployment !== undefined) return allow(issue({ ...permit, deployments: Object.freeze([deployment]) }));
  const refused = permit.refused.find((candidate) => candidate.deployment === deploymentId);
  if (refused === undefined || refused.kind === "surface") return refuse({ kind: "response_not_found", id });
  const model = permit.model.id;
  if (refused.kind === "fact_unknown") return refuse({ kind: "fact_unknown", model, fact: "where that response is kept" });
  const sentence = `${JSON.stringify(id)} is kept where you may no longer be served.`;
  return refuse({ kind: "policy_denied", model, rule: refused.kind, reasons: [refused.rule], sentence });
}

/** The permit less the deployments that are cut off: itself where none is, and nothing where all are. */
export function without(permit: Permit, isCutOff: (deployment: Deployment) => boolean): Permit | undefined {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  const deployments = permit.deployments.filter((deployment) => !isCutOff(deployment));
  if (deployments.length === permit.deployments.length) return permit;
  return deployments.length === 0 ? undefined : issue({ ...permit, deployments: Object.freeze(deployments) });
}
