import { z } from "zod";
import { decide, type Grant, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { World } from "../policy/world.ts";

interface RefusedGroup {
  readonly rule: string;
  readonly reason: string;
  readonly deployments: readonly string[];
}

/** What a receipt says of the decision that was made, as it reads from an export. */
export interface DecisionRecord {
  readonly requestId: string;
  readonly inputs?: DecisionInputs | undefined;
  readonly policyDigest?: string | undefined;
  readonly catalogueDigest: string;
  /** The model that answered; absent where none was to. */
  readonly model?: string | undefined;
  readonly rules?: readonly string[] | undefined;
  readonly attempts?: readonly { readonly deployment: string }[] | undefined;
  /** As receipts group them. */
  readonly candidatesRefused?: readonly RefusedGroup[] | undefined;
  readonly refusal?: { readonly kind: string } | undefined;
  readonly end: string;
}

const decisionRecord: z.ZodType<DecisionRecord> = z.object({
  requestId: z.string(),
  // Of the form in which this program wrote it: `decide` takes nothing else.
  inputs: z.custom<DecisionInputs>((value) => typeof value === "object" && value !== null && "tenant" in value).optional(),
  policyDigest: z.string().optional(),
  catalogueDigest: z.string(),
  model: z.string().optional(),
  rules: z.array(z.string()).optional(),
  attempts: z.array(z.object({ deployment: z.string() })).optional(),
  candidatesRefused: z.array(z.object({ rule: z.string(), reason: z.string(), deployments: z.array(z.string()) })).optional(),
  refusal: z.object({ kind: z.string() }).optional(),
  end: z.string(),
});

/** One line of `strait export --format jsonl`; `undefined` where it is no receipt. */
export function parseRecord(line: string): DecisionRecord | undefined {
  try {
    return decisionRecord.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

export type Replay =
  | { readonly result: "same" }
  /** In words, each way in which the decision differs from what the receipt says. */
  | { readonly result: "different"; readonly differences: readonly string[] }
  /** It cannot be decided again: the receipt is from before decisions were kept, or from before the policy was asked. */
  | { readonly result: "without_inputs" }
  /** None of the worlds at hand is of the receipt's digests. */
  | { readonly result: "without_world"; readonly policyDigest: string; readonly catalogueDigest: string };

/** Worlds by what a receipt names them by. */
export class Worlds {
  readonly #worlds = new Map<string, World>();

  add(world: World): void {
    this.#worlds.set(keyOf(world.policy.digest, world.catalogue.digest), world);
  }

  find(policyDigest: string, catalogueDigest: string): World | undefined {
    return this.#worlds.get(keyOf(policyDigest, catalogueDigest));
  }

  get size(): number {
    return this.#worlds.size;
  }
}

/** Decides again what a receipt tells of, by the very policy and catalogue that it names. */
export function replay(record: DecisionRecord, worlds: Worlds): Replay {
  const { inputs, policyDigest, catalogueDigest } = record;
  if (inputs === undefined || policyDigest === undefined) return { result: "without_inputs" };
  const world = worlds.find(policyDigest, catalogueDigest);
  if (world === undefined) return { result: "without_world", policyDigest, catalogueDigest };
  const differences = differencesOf(record, decide(inputs, world.policy, world.catalogue));
  return differences.length === 0 ? { result: "same" } : { result: "different", differences };
}

/** The refusals that come from a decision; any other came from what was asked before or after it. */
const ofDecisions: ReadonlySet<string> = new Set([
  "policy_not_in_force",
  "tenant_not_verified",
  "verification_expired",
  "surface_not_served",
  "policy_denied",
  "policy_review",
  "fact_unknown",
  "fact_stale",
  "fact_conflicting",
]);

function differencesOf(record: DecisionRecord, { outcome }: Judgement): string[] {
  const { end, refusal, model, rules, candidatesRefused, attempts = [] } = record;
  // What was held or sent had a permit; of what was refused before, its refusal tells.
  const wasRefused = end === "refused" && (refusal === undefined || ofDecisions.has(refusal.kind));
  if (!outcome.ok) {
    const { kind } = outcome.refusal;
    if (end !== "refused") return [`it was served, and is refused now (${kind})`];
    if (refusal?.kind === kind)
      return candidatesRefused === undefined || sameRefused(candidatesRefused, outcome.refused) ? [] : [otherCandidates];
    return [`it was refused as ${refusal?.kind ?? "nothing"}, and is refused as ${kind} now`];
  }
  if (wasRefused) return [`it was refused (${refusal?.kind ?? "for no reason"}), and is permitted now`];
  const { grant } = outcome;
  const differences: string[] = [];
  if (model !== undefined && model !== grant.model.id)
    differences.push(`it was for the model ${model}, and is for ${grant.model.id} now`);
  if (rules !== undefined && rules.join("\n") !== grant.rules.join("\n"))
    differences.push(`it was permitted by ${rules.join(", ")}, and is by ${grant.rules.join(", ")} now`);
  if (candidatesRefused !== undefined && !sameRefused(candidatesRefused, grant.refused)) differences.push(otherCandidates);
  const admitted = new Set(grant.deployments.map(({ id }) => id));
  for (const { deployment } of attempts)
    if (!admitted.has(deployment)) differences.push(`it was sent to ${deployment}, which is not admitted now`);
  return differences;
}

const otherCandidates = "other deployments were refused, or for other reasons";

function sameRefused(groups: readonly RefusedGroup[], refused: Grant["refused"]): boolean {
  const were = groups.flatMap(({ rule, reason, deployments }) => deployments.map((id) => JSON.stringify([id, rule, reason])));
  const are = refused.map(({ deployment, rule, reason }) => JSON.stringify([deployment, rule, reason]));
  return were.sort().join("\n") === are.sort().join("\n");
}

function keyOf(policyDigest: string, catalogueDigest: string): string {
  return `${policyDigest} ${catalogueDigest}`;
}
