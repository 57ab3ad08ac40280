import { listIn, objectIn, textIn } from "./json.ts";

const greatestDepth = 8;

/** The plainest value that a JSON Schema admits, so that a tool call or a structured answer parses at the client. */
export function valueFor(schema: unknown, text: string, depth: number = 0): unknown {
  const rules = objectIn(schema);
  if (rules === undefined || depth > greatestDepth) return null;
  if (rules["const"] !== undefined) return rules["const"];
  const options = listIn(rules["enum"]);
  if (options.length > 0) return options[0];
  const alternative = listIn(rules["anyOf"])[0] ?? listIn(rules["oneOf"])[0];
  if (alternative !== undefined) return valueFor(alternative, text, depth + 1);
  switch (typeOf(rules["type"])) {
    case "string":
      return text;
    case "integer":
    case "number":
      return typeof rules["minimum"] === "number" ? rules["minimum"] : 1;
    case "boolean":
      return true;
    case "array":
      return [valueFor(rules["items"], text, depth + 1)];
    case "null":
      return null;
    default:
      return Object.fromEntries(
        Object.entries(objectIn(rules["properties"]) ?? {}).map(([name, rule]) => [name, valueFor(rule, text, depth + 1)]),
      );
  }
}

/** `["string", "null"]` is how strict schemas say optional: the value is given. */
function typeOf(type: unknown): string | undefined {
  return textIn(Array.isArray(type) ? type.find((name) => name !== "null") : type);
}
