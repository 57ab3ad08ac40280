import type { Model } from "../region/catalogue.ts";
import type { Rule } from "../region/policy.ts";
import { unknownFact, type Objection } from "./objection.ts";
import type { SubjectView } from "./subject.ts";

/** Whether a rule looks at a model at an instant. A time that is none leaves every rule in force. */
export function inForce(rule: Rule, model: Model, atMs: number): boolean {
  if (rule.effectiveFromMs !== undefined && atMs < rule.effectiveFromMs) return false;
  if (rule.effectiveToMs !== undefined && atMs >= rule.effectiveToMs) return false;
  if (rule.makers !== undefined && !rule.makers.has(model.maker)) return false;
  if (rule.tiers !== undefined && !rule.tiers.has(model.tier)) return false;
  return rule.models === undefined || rule.models.has(model.id);
}

/** Whether a rule is about this tenant; `unknown` where a missing fact could make it so. */
export function concerns(rule: Rule, tenant: SubjectView): "yes" | "no" | "unknown" {
  if (rule.tenantsIn === undefined || tenant.known.some((country) => rule.tenantsIn?.has(country))) return "yes";
  return tenant.unknown.length > 0 ? "unknown" : "no";
}

/** What a rule that concerns this tenant says to it, wherever the work would be done. */
export function judgeTenant(rule: Rule, tenant: SubjectView): Objection | undefined {
  switch (rule.kind) {
    case "ownership": {
      const found = tenant.known.find((country) => rule.ownersIn.has(country));
      // What is known may suffice to refuse; what is not known never suffices to allow.
      return found === undefined
        ? missingCountry(rule, tenant)
        : objection(rule, `the tenant is registered, led or owned in ${found}`);
    }
    case "own_jurisdiction":
      return missingCountry(rule, tenant);
    case "tier":
      return objection(rule, "models of this tier are closed to the tenant's countries");
    case "end_use":
      return judgeEndUse(rule, tenant.endUse);
    default:
      return undefined;
  }
}

export function missingCountry(rule: Rule, tenant: SubjectView): Objection | undefined {
  const fact = tenant.unknown[0];
  return fact === undefined ? undefined : unknownFact(rule.id, fact);
}

function judgeEndUse(rule: Extract<Rule, { kind: "end_use" }>, declared: string | undefined): Objection | undefined {
  const use = words(declared ?? "");
  if (use === "") return unknownFact(rule.id, "your company's declared end use");
  const denied = rule.denied.find((term) => ` ${use} `.includes(` ${words(term)} `));
  if (denied !== undefined) return objection(rule, `the declared end use is ${denied}`);
  if (rule.allowed?.every((term) => words(term) !== use))
    return objection(rule, "the declared end use is not one of those allowed");
  return undefined;
}

/** So that `Military-logistics` is found by `military`, and `paramilitary` is not. */
function words(text: string): string {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .join(" ");
}

function objection(rule: Rule, reason: string): Objection {
  return { kind: rule.kind, rule: rule.id, reason, sentence: rule.because };
}
