import type { Model, Surface } from "../region/catalogue.ts";
import type { Rule } from "../region/policy.ts";
import type { Placement } from "./candidates.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import type { DecisionInputs } from "./decision-inputs.ts";
import { finding, unwritten, type Finding } from "./finding.ts";
import { Horizon } from "./horizon.ts";
import { ListedParties } from "./listed-parties.ts";
import { lift, weigh, type Weighed } from "./precedence.ts";
import { viewOf } from "./subject-view.ts";
import { judgeTenant, type Situation } from "./tenant-rules.ts";

/** All that the policy says to one subject and model, for `decide` and for whoever explains it. */
export interface Evaluation {
  readonly model: Model;
  readonly surface: Surface;
  /** What rules find of the tenant and its request, wherever the work would be done. */
  readonly subject: Weighed;
  /** What they find of each deployment. One is admitted where nothing speaks against it here, and nothing in `subject`. */
  readonly placement: Placement;
  /** Every rule and unwritten check that looked. */
  readonly rules: readonly string[];
  /** The model that a rule puts in the place of this one, and the rule's finding. */
  readonly replacement: { readonly modelId: string; readonly by: Finding } | undefined;
  /** What every rule and unwritten check finds of the tenant and its request, also where that is nothing. For `explain`. */
  readonly findings: () => readonly Finding[];
}

/** The unwritten check that a tenant bought the model's tier. */
export const entitlementRule = "tenant:tiers";

const entitled = unwritten(entitlementRule, "tier", "Your company has not bought models of this tier.");
const readableLists = unwritten(
  "tenant:countries",
  "tenant_countries",
  "Your company's own list of countries does not admit it.",
);
const noHostedTools = unwritten(
  "request:hosted_tools",
  "hosted_tools",
  "Tools that the provider runs itself may carry what you send out of the countries that were checked; no rule allows them here.",
);
const noExtraction = unwritten(
  "request:weights_extraction",
  "log_probabilities",
  "logit_bias together with logprobs extracts a model's weights. Send one of them.",
);

/** `applied` are the rules that put this model in the place of another: they have got what they asked for. */
export function evaluate(
  inputs: DecisionInputs,
  model: Model,
  applied: readonly string[],
  compiled: CompiledPolicy,
  horizon: Horizon,
): Evaluation {
  const { policy, rulesById } = compiled;
  const index = compiled.rulesFor(model);
  const listed = new ListedParties(policy);
  const situation: Situation = { inputs, view: viewOf(inputs.tenant, policy), policy, listed, horizon };
  const { silent: about, open } = index.sift(situation);
  const found: Finding[] = [];
  for (const number of open.numbers()) {
    const finding = judgeTenant(index.rule(number), situation);
    if (finding === undefined) continue;
    about.add(number);
    found.push(finding);
  }
  const concerned = index.concerned(about);
  const lifted = lift(found, rulesById);
  const unwrittenFindings = checkUnwritten(situation, model, (kind) => isSettled(kind, concerned.rules, lifted));
  const placement = compiled.placement(model, inputs.surface, concerned, inputs.tenant.leastEvidence, situation.view);
  const subject = weigh([...unwrittenFindings, ...lifted]);
  return {
    model,
    surface: inputs.surface,
    subject,
    placement,
    rules: concerned.names(entitlementRule, placement.checks.unwritten),
    replacement: replacementOf(subject, model, applied, compiled),
    findings: () => lift([...unwrittenFindings, ...findingsOf(index.rules, situation)], rulesById),
  };
}

/**
 * Whether rules of a kind say what the subject may ask for. One of which nobody knows whether it is about the subject refuses;
 * where an exemption takes that away, it has said nothing, and must not allow more than if it were certainly not about it.
 */
function isSettled(kind: Rule["kind"], concerned: readonly Rule[], found: readonly Finding[]): boolean {
  const said = (id: string): boolean =>
    !found.some(({ rule, outcome, liftedBy }) => rule === id && liftedBy !== undefined && outcome !== "match");
  return concerned.some((rule) => rule.kind === kind && said(rule.id));
}

/** What all of the rules find, one after the other. */
function findingsOf(rules: readonly Rule[], decided: Situation): readonly Finding[] {
  const situation: Situation = { ...decided, horizon: new Horizon(decided.inputs.atMs) };
  return rules.flatMap((rule) => judgeTenant(rule, situation) ?? []);
}

/** Of several the first in the order of the file: they all refuse the model asked for. */
function replacementOf(
  { degradations }: Weighed,
  model: Model,
  applied: readonly string[],
  { rulesById }: CompiledPolicy,
): Evaluation["replacement"] {
  for (const by of degradations) {
    const ruling = rulesById.get(by.rule)?.ruling;
    if (ruling?.decision !== "degrade" || !("toModel" in ruling) || applied.includes(by.rule)) continue;
    if (ruling.toModel !== model.id) return { modelId: ruling.toModel, by };
  }
  return undefined;
}

/** What holds although it stands in no file. Only what objects is told, but for the tier, which is always looked at. */
function checkUnwritten(
  { inputs, view }: Situation,
  model: Model,
  isAsked: (kind: "hosted_tools" | "log_probabilities") => boolean,
): Finding[] {
  const { request, tenant } = inputs;
  const isEntitled = tenant.tiers.includes(model.tier);
  const reason = `the tenant has not bought the tier "${model.tier}"`;
  const findings = [finding(entitled, { outcome: isEntitled ? "no_match" : "match", what: "" }, reason)];
  if (view.unreadableDeny !== undefined) {
    const what = `what ${view.unreadableDeny} in your company's deny list stands for`;
    findings.push(finding(readableLists, { outcome: "unknown", what }, ""));
  }
  if (request.hostedTools.length > 0 && !isAsked("hosted_tools")) {
    const what = `the upstream would run ${request.hostedTools.join(", ")}`;
    findings.push(finding(noHostedTools, { outcome: "match", what }, what));
  }
  if (request.logProbabilities === "asked_with_logit_bias" && !isAsked("log_probabilities")) {
    const what = "the request combines logit_bias with log probabilities";
    findings.push(finding(noExtraction, { outcome: "match", what }, what));
  }
  return findings;
}
