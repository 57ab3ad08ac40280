import { z } from "zod";
import { decide, type Grant, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { World } from "../policy/world.ts";
import type { Refusal } from "../refusal.ts";

interface RefusedGroup {
  readonly rule: string;
  readonly reason: string;
  readonly deployments: readonly string[];
}

interface DegradationRecord {
  readonly rule: string;
  readonly toModel?: string | undefined;
  readonly without?: string | undefined;
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
  /** Absent where nothing was lessened, and in receipts of before that was written down. */
  readonly degradations?: readonly DegradationRecord[] | undefined;
  readonly refusal?: { readonly kind: string; readonly reasons?: readonly string[] | undefined } | undefined;
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
  degradations: z
    .array(z.object({ rule: z.string(), toModel: z.string().optional(), without: z.string().optional() }))
    .optional(),
  refusal: z.object({ kind: z.string(), reasons: z.array(z.string()).optional() }).optional(),
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
  /** What refused it is no decision by policy, facts or verification: `by` is the refusal's kind. */
  | { readonly result: "not_decided"; readonly by: string }
  /** It cannot be decided again: the record is from before inputs were kept. */
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
  if (inputs === undefined || policyDigest === undefined) return undecided(record);
  const world = worlds.find(policyDigest, catalogueDigest);
  if (world === undefined) return { result: "without_world", policyDigest, catalogueDigest };
  const differences = differencesOf(record, decide(inputs, world.policy, world.catalogue));
  return differences.length === 0 ? { result: "same" } : { result: "different", differences };
}

function undecided({ end, refusal }: DecisionRecord): Replay {
  if (end !== "refused" || refusal === undefined) return { result: "without_inputs" };
  const { kind } = refusal;
  // No decision is needed for an id that was never issued.
  const isOther = !ofDecisions.has(kind) || kind === "response_not_found";
  return isOther ? { result: "not_decided", by: kind } : { result: "without_inputs" };
}

/** The refusals that come from a decision; any other came from what was asked before or after it. */
const ofDecisions: ReadonlySet<string> = new Set([
  "policy_not_in_force",
  "tenant_not_verified",
  "verification_expired",
  "model_not_found",
  "response_not_found",
  "surface_not_served",
  "policy_denied",
  "policy_review",
  "fact_unknown",
  "fact_stale",
  "fact_conflicting",
]);

function differencesOf(record: DecisionRecord, { outcome }: Judgement): string[] {
  const { end, refusal } = record;
  if (!outcome.ok) {
    const { kind } = outcome.refusal;
    if (end !== "refused") return [`it was served, and is refused now (${kind})`];
    if (refusal?.kind !== kind) return [`it was refused as ${refusal?.kind ?? "nothing"}, and is refused as ${kind} now`];
    return [...reasonDifferences(refusal.reasons, outcome.refusal), ...candidateDifferences(record, outcome.refused)];
  }
  // What was held or sent had a permit; of what was refused before, its refusal tells.
  if (end === "refused" && (refusal === undefined || ofDecisions.has(refusal.kind)))
    return [`it was refused (${refusal?.kind ?? "for no reason"}), and is permitted now`];
  return grantDifferences(record, outcome.grant);
}

/** Only reasons that are the policy's own ids and codes: the others are prose, which another release may write otherwise. */
function reasonDifferences(were: readonly string[] | undefined, refusal: Refusal): string[] {
  if (were === undefined || (refusal.kind !== "policy_denied" && refusal.kind !== "policy_review")) return [];
  const are = [refusal.rule, ...refusal.reasons];
  return were.join("\n") === are.join("\n") ? [] : [`it was refused by ${were.join(", ")}, and is by ${are.join(", ")} now`];
}

function grantDifferences(record: DecisionRecord, grant: Grant): string[] {
  const { model, rules, degradations, attempts = [] } = record;
  const differences: string[] = [];
  if (model !== undefined && model !== grant.model.id)
    differences.push(`it was for the model ${model}, and is for ${grant.model.id} now`);
  if (rules !== undefined && rules.join("\n") !== grant.rules.join("\n"))
    differences.push(`it was permitted by ${rules.join(", ")}, and is by ${grant.rules.join(", ")} now`);
  if (degradations !== undefined && inWords(degradations) !== inWords(grant.degradations))
    differences.push(`it was lessened by ${inWords(degradations)}, and is by ${inWords(grant.degradations)} now`);
  differences.push(...candidateDifferences(record, grant.refused));
  const admitted = new Set(grant.deployments.map(({ id }) => id));
  for (const { deployment } of attempts)
    if (!admitted.has(deployment)) differences.push(`it was sent to ${deployment}, which is not admitted now`);
  return differences;
}

function inWords(degradations: readonly DegradationRecord[]): string {
  const words = degradations.map(({ rule, toModel, without }) => `${rule} (${toModel ?? `without ${without}`})`);
  return words.length === 0 ? "nothing" : words.join(", ");
}

function candidateDifferences({ candidatesRefused }: DecisionRecord, refused: Grant["refused"]): string[] {
  if (candidatesRefused === undefined || sameRefused(candidatesRefused, refused)) return [];
  return ["other deployments were refused, or for other reasons"];
}

function sameRefused(groups: readonly RefusedGroup[], refused: Grant["refused"]): boolean {
  const were = groups.flatMap(({ rule, reason, deployments }) => deployments.map((id) => JSON.stringify([id, rule, reason])));
  const are = refused.map(({ deployment, rule, reason }) => JSON.stringify([deployment, rule, reason]));
  return were.sort().join("\n") === are.sort().join("\n");
}

function keyOf(policyDigest: string, catalogueDigest: string): string {
  return `${policyDigest} ${catalogueDigest}`;
}
