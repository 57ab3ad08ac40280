import type { Surface } from "../region/catalogue.ts";
import type { Edit } from "./document.ts";
import type { FieldReader } from "./field-reader.ts";

/** The fields by which a request asks for the probabilities of tokens, and what the Responses API is to include otherwise. */
export interface ProbabilitiesAsked {
  readonly fields: readonly string[];
  readonly include: readonly unknown[] | undefined;
}

/** How the Responses API is asked for them. */
const included = "message.output_text.logprobs";

/** `undefined` where the request does not ask for them. */
export function probabilitiesAsked(surface: Surface, fields: FieldReader): ProbabilitiesAsked | undefined {
  const plain = fields.any("logprobs");
  const top = fields.any("top_logprobs");
  const asking = [
    ...(plain === undefined || plain === false ? [] : ["logprobs"]),
    ...(top === undefined || top === 0 ? [] : ["top_logprobs"]),
  ];
  const include = surface === "responses" ? fields.array("include") : undefined;
  const others = include?.filter((entry) => entry !== included);
  const isIncluded = include !== undefined && others?.length !== include.length;
  if (asking.length === 0 && !isIncluded) return undefined;
  return { fields: asking, include: isIncluded ? others : undefined };
}

/** What to set in the body so that it no longer asks. `null` is what each of these fields is where nobody sets it. */
export function withoutProbabilities({ fields, include }: ProbabilitiesAsked): readonly Edit[] {
  const edits = fields.map((name): Edit => ({ name, json: "null" }));
  return include === undefined ? edits : [...edits, { name: "include", json: JSON.stringify(include) }];
}
