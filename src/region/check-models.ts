import { entries, type Document } from "./document.ts";
import type { Loose } from "./fields.ts";
import { checkGroups, type Groups } from "./groups.ts";
import { looseModel, type ModelEntry } from "./models-file.ts";

/** What the other files may refer to, also of models that have something else wrong with them. */
export interface KnownModels {
  readonly models: ReadonlyMap<string, Loose<ModelEntry>>;
  readonly makers: ReadonlySet<string>;
  readonly tiers: ReadonlySet<string>;
}

export function checkModels(document: Document, groups: Groups | undefined): KnownModels {
  const list = entries(document, "models", looseModel);
  const models = new Map<string, Loose<ModelEntry>>();
  const names = new Map<string, string>();
  // Ids first, so that of an alias and an id that collide it is always the alias that is reported.
  for (const { index, value } of list) {
    if (value.id === undefined) continue;
    if (models.has(value.id))
      document.report(["models", index, "id"], `Another model is already called ${JSON.stringify(value.id)}.`);
    models.set(value.id, value);
    names.set(value.id, value.id);
  }
  for (const { index, value } of list) {
    value.aliases?.forEach((alias, position) => {
      if (alias === "") return; // told already by the shape
      const taken = names.get(alias);
      if (taken === undefined) names.set(alias, value.id ?? "another model");
      else
        document.report(
          ["models", index, "aliases", position],
          `The name ${JSON.stringify(alias)} already stands for ${JSON.stringify(taken)}.`,
        );
    });
    checkGroups(value.weights_not_in, groups, document, ["models", index, "weights_not_in"]);
    if ((value.max_output_tokens ?? 0) > (value.context_tokens ?? Infinity)) {
      document.report(
        ["models", index, "max_output_tokens"],
        "max_output_tokens is above context_tokens: the context holds the answer too.",
      );
    }
  }
  return { models, makers: each(list.map(({ value }) => value.maker)), tiers: each(list.map(({ value }) => value.tier)) };
}

function each(values: readonly (string | undefined)[]): ReadonlySet<string> {
  return new Set(values.filter((value) => value !== undefined));
}
