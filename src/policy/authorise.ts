import type { Catalogue, Deployment } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { bind } from "./bind.ts";
import { CompiledPolicy } from "./compiled-policy.ts";
import { decideBy, type Judgement } from "./decide.ts";
import { inputsOf, plainRequest, type AuthoriseRequest, type BoundTo, type DecisionInputs } from "./decision-inputs.ts";
import type { Permit, RefusedCandidate } from "./permit.ts";

/** A permit; or the refusal, with what it was decided by and what spoke against each candidate. */
export type Authorised =
  | { readonly ok: true; readonly value: Permit }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      readonly inputs: DecisionInputs;
      readonly refused: readonly RefusedCandidate[];
    };

/** Every permit ever made here, by identity. Nothing else adds to it, and it is not exported. */
const genuine = new WeakSet<Permit>();

interface Remembered {
  readonly decision: Authorised;
  /** Milliseconds since the epoch: from here until just before there, the decision is the same. */
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Memory {
  readonly compiled: CompiledPolicy;
  readonly tenants: WeakMap<Tenant, Map<string, Remembered>>;
}

/** The last stretch of time's memory. Replaced as a whole when policy, catalogue or date move on. */
let remembered: Memory | undefined;

/** A tenant's requests can differ in more ways than are worth remembering: past this many its decisions are made anew. */
const mostDecisions = 1_000;

/**
 * Where this tenant's request for this model may run, as a permit, or the refusal that says which kind of rule said no.
 * What `decide` says, remembered for as long as it cannot change. All three objects are taken as immutable; a change is a
 * new object.
 */
export function authorise(asked: AuthoriseRequest, policy: Policy, catalogue: Catalogue, atMs: number): Authorised {
  const { tenant, modelName, surface, request = plainRequest } = asked;
  const memory = memoryAt(policy, catalogue, atMs);
  let decisions = memory.tenants.get(tenant);
  if (decisions === undefined) memory.tenants.set(tenant, (decisions = new Map()));
  const key = request === plainRequest ? `${surface} ${modelName}` : `${surface} ${modelName} ${JSON.stringify(request)}`;
  const known = decisions.get(key);
  if (known !== undefined && known.fromMs <= atMs && atMs < known.untilMs) return known.decision;

  const judgement = decideBy(inputsOf(asked, atMs), memory.compiled);
  const decision = Object.freeze(decisionOf(judgement, tenant, policy, catalogue));
  // Names that clients make up are without end.
  if (!catalogue.modelNames.has(modelName)) return decision;
  if (decisions.size >= mostDecisions) decisions.clear();
  decisions.set(key, { decision, fromMs: atMs, untilMs: judgement.untilMs });
  return decision;
}

function memoryAt(policy: Policy, catalogue: Catalogue, atMs: number): Memory {
  const last = remembered?.compiled;
  if (remembered !== undefined && last?.policy === policy && last.catalogue === catalogue && last.holdsAt(atMs))
    return remembered;
  remembered = { compiled: new CompiledPolicy(policy, catalogue, atMs), tenants: new WeakMap() };
  return remembered;
}

function decisionOf({ outcome, inputs }: Judgement, tenant: Tenant, policy: Policy, catalogue: Catalogue): Authorised {
  if (!outcome.ok) return { ok: false, refusal: Object.freeze(outcome.refusal), inputs, refused: outcome.refused };
  const versions = { policyVersion: policy.version, policyDigest: policy.digest, catalogueDigest: catalogue.digest };
  return { ok: true, value: issue({ ...outcome.grant, tenantId: tenant.id, cutOff: nothing, inputs, ...versions }) };
}

const nothing: Permit["cutOff"] = Object.freeze([]);

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

/** The permit for the one deployment that keeps a stored response, or the refusal; either says what it is bound to. */
export function narrow(permit: Permit, boundTo: BoundTo): Authorised {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  const bound = bind(permit, boundTo);
  const inputs: DecisionInputs = Object.freeze({ ...permit.inputs, boundTo: Object.freeze(boundTo) });
  if (!bound.ok) return { ok: false, refusal: bound.refusal, inputs, refused: permit.refused };
  return { ok: true, value: issue({ ...permit, deployments: Object.freeze([bound.value]), inputs }) };
}

/** The permit for those of its deployments that are meant; nothing where none is. */
export function among(permit: Permit, isMeant: (deployment: Deployment) => boolean): Permit | undefined {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  const deployments = permit.deployments.filter(isMeant);
  return deployments.length === 0 ? undefined : issue({ ...permit, deployments: Object.freeze(deployments) });
}

/** The permit less the deployments that an order cuts off: itself where none is, and nothing where all are. */
export function without(permit: Permit, orderAgainst: (deployment: Deployment) => string | undefined): Permit | undefined {
  if (!genuine.has(permit)) throw new TypeError("Not a permit: only authorise() makes one.");
  const deployments: Deployment[] = [];
  const cutOff = [...permit.cutOff];
  for (const deployment of permit.deployments) {
    const order = orderAgainst(deployment);
    if (order === undefined) deployments.push(deployment);
    else cutOff.push(Object.freeze({ deployment: deployment.id, order }));
  }
  if (deployments.length === permit.deployments.length) return permit;
  if (deployments.length === 0) return undefined;
  return issue({ ...permit, deployments: Object.freeze(deployments), cutOff: Object.freeze(cutOff) });
}
