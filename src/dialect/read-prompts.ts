import type { FieldReader } from "./field-reader.ts";

/** The prompt of completions, the input of embeddings: one text, several, one list of tokens, or several. */
export interface Prompts {
  readonly field: string;
  readonly count: number;
  /** How many tokens there are, where the prompt is given as numbers; 0 where it is text. */
  readonly tokens: number;
}

/** The most that the official APIs take in one request. */
const mostPrompts = 2_048;

export function readPrompts(fields: FieldReader, name: string): Prompts {
  fields.require(name);
  const value = fields.any(name);
  if (typeof value === "string") return { field: name, count: 1, tokens: 0 };
  const prompts = Array.isArray(value) ? measure(value) : undefined;
  if (prompts === undefined) {
    fields.refuse({
      kind: "invalid_field",
      param: name,
      expected: "a string, an array of strings, an array of tokens, or an array of such arrays",
    });
    return { field: name, count: 1, tokens: 0 };
  }
  if (prompts.count > mostPrompts)
    fields.refuse({ kind: "invalid_field", param: name, expected: `at most ${mostPrompts} prompts` });
  return { field: name, ...prompts };
}

/** `undefined` for any mixture: what an upstream would make of it nobody could bound. */
function measure(items: readonly unknown[]): Omit<Prompts, "field"> | undefined {
  const [first] = items;
  if (typeof first === "string")
    return items.every((item) => typeof item === "string") ? { count: items.length, tokens: 0 } : undefined;
  if (typeof first === "number") return isTokenList(items) ? { count: 1, tokens: items.length } : undefined;
  if (!Array.isArray(first)) return undefined;
  let tokens = 0;
  for (const item of items) {
    if (!Array.isArray(item) || !isTokenList(item)) return undefined;
    tokens += item.length;
  }
  return { count: items.length, tokens };
}

function isTokenList(items: readonly unknown[]): boolean {
  return items.length > 0 && items.every((item) => Number.isInteger(item) && (item as number) >= 0);
}
