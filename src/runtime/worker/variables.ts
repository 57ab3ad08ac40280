/** Variables and secrets, as text; whatever else is bound is left out. */
export type Variables = Readonly<Record<string, string | undefined>>;

export function variablesOf(bindings: object): Variables {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
