import type { KnownModels } from "./check-models.ts";
import type { Document, Entry } from "./document.ts";
import type { Loose } from "./fields.ts";
import { isLiftable } from "./liftable.ts";
import type { AnyRuleEntry } from "./rule-entry.ts";

type LooseRule = Entry<Loose<AnyRuleEntry>>;

/** Reports rules whose consequence, or whose lists of parties, are not what their author can have meant. */
export function checkRulings(
  document: Document,
  rules: readonly LooseRule[],
  parties: ReadonlySet<string>,
  known: KnownModels | undefined,
): void {
  const kinds = new Map(rules.map(({ value }) => [value.id, value.kind]));
  for (const rule of rules) {
    const { index, value } = rule;
    for (const key of ["owners_on", "parties_on"] as const) {
      value[key]?.forEach((name, position) => {
        if (!parties.has(name))
          document.report(["rules", index, key, position], `The policy has no list of parties ${JSON.stringify(name)}.`);
      });
    }
    value.lifts?.forEach((id, position) => {
      const kind = kinds.get(id);
      if (kind === undefined) document.report(["rules", index, "lifts", position], `There is no rule ${JSON.stringify(id)}.`);
      else if (!isLiftable(kind))
        document.report(["rules", index, "lifts", position], `A rule of kind ${kind} holds for everybody: it cannot be lifted.`);
    });
    checkDegrade(document, rule, known);
    checkShare(document, rule);
  }
}

function checkDegrade(document: Document, { index, value }: LooseRule, known: KnownModels | undefined): void {
  const ways = [value.to_model, value.without].filter((way) => way !== undefined).length;
  if (value.decision === "degrade" && ways !== 1)
    document.report(["rules", index, "decision"], "To degrade, give either to_model or without.");
  if (value.decision === "degrade" && value.kind === "hosted_tools")
    document.report(["rules", index, "decision"], "The tools would run all the same: deny, or ask for a review.");
  if (value.decision !== "degrade" && ways > 0)
    document.report(["rules", index], 'to_model and without need decision = "degrade".');
  if (value.to_model === undefined) return;
  if (known !== undefined && !known.models.has(value.to_model))
    document.report(["rules", index, "to_model"], `models.toml has no model ${JSON.stringify(value.to_model)}.`);
  if (value.models?.includes(value.to_model) === true)
    document.report(["rules", index, "to_model"], "The rule would degrade this model to itself.");
}

function checkShare(document: Document, { index, value }: LooseRule): void {
  const shares = [value.share_at_least_percent, value.share_more_than_percent].filter((share) => share !== undefined).length;
  if (shares > 1) document.report(["rules", index], "Give share_at_least_percent or share_more_than_percent, not both.");
  if (value.owners_on !== undefined && shares === 0)
    document.report(
      ["rules", index, "owners_on"],
      "Say from which share on owners count: share_at_least_percent or share_more_than_percent.",
    );
}
