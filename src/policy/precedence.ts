/**
 * Which of several rules decides. Of all that was found, from the strongest to the weakest:
 *
 *   1. what nothing lifts: where the weights are, the tenant's own jurisdiction, countries nobody knows, the tenant's own
 *      lists, the least evidence, tiers that were not bought (`../region/liftable.ts` says which kinds of rule)
 *   2. deny
 *   3. a fact that is unknown, stale or conflicting
 *   4. review
 *   5. degrade
 *   6. allow
 *
 * An exemption that matches takes away what the rules that it names found, in 2 to 5, and nothing else. Everything is
 * looked at before anything is weighed, so the order in which rules are written never matters.
 */
import { isLiftable } from "../region/liftable.ts";
import type { Rule } from "../region/policy.ts";
import type { Finding } from "./finding.ts";

/** Whether an exemption may take away what this rule found. A check that stands in no file holds for everybody. */
export function mayLift(rule: Rule): boolean {
  return isLiftable(rule.kind);
}

export interface Weighed {
  /** What refuses, strongest first. */
  readonly objections: readonly Finding[];
  /** Where nothing refuses, what lessens. */
  readonly degradations: readonly Finding[];
}

/** The findings, with what exemptions among them take away marked. `rules` are those that anything was found by. */
export function lift(found: readonly Finding[], rules: ReadonlyMap<string, Rule>): readonly Finding[] {
  const exemptions = found.flatMap(({ rule: id, outcome }) => {
    const rule = outcome === "match" ? rules.get(id) : undefined;
    return rule?.kind === "exemption" ? [rule] : [];
  });
  return exemptions.length === 0 ? found : found.map((finding) => lifted(finding, exemptions, rules));
}

/** `findings` are such that `lift` went over. What has nothing against the subject may be missing. */
export function weigh(findings: readonly Finding[]): Weighed {
  const objections = findings.filter(({ decision }) => decision === "deny" || decision === "review");
  return {
    objections: objections.length < 2 ? objections : objections.sort((one, other) => strength(one) - strength(other)),
    degradations: objections.length > 0 ? [] : findings.filter(({ decision }) => decision === "degrade"),
  };
}

function lifted(
  finding: Finding,
  exemptions: readonly Extract<Rule, { kind: "exemption" }>[],
  rules: ReadonlyMap<string, Rule>,
): Finding {
  const rule = rules.get(finding.rule);
  const exemption = exemptions.find(({ lifts }) => lifts.has(finding.rule));
  if (finding.decision === "allow" || rule === undefined || exemption === undefined || !mayLift(rule)) return finding;
  return { ...finding, decision: "allow", liftedBy: exemption.id };
}

function strength({ decision, outcome }: Finding): number {
  if (decision === "review") return 2;
  return outcome === "match" ? 0 : 1;
}
