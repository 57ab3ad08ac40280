import { listIn, objectIn, textIn, type JsonObject } from "./json.ts";
import type { Prompt } from "./prompt.ts";

export interface Tool {
  readonly name: string;
  readonly schema: unknown;
}

/**
 * Which tools this request has the simulated model call, over the three ways in which the wires declare them. Tools are
 * called where `tool_choice` demands one, or where the last message names them; never twice in a row unasked, or an
 * agent's loop against the simulator would not end.
 */
export function toolsToCall(body: JsonObject, prompt: Prompt): readonly Tool[] {
  const tools = listIn(body["tools"]).flatMap(readTool);
  const choice = body["tool_choice"];
  const kind = textIn(choice) ?? textIn(objectIn(choice)?.["type"]);
  const [first] = tools;
  if (first === undefined || kind === "none") return [];
  if (kind === "function" || kind === "tool") return tools.filter((tool) => tool.name === chosenName(choice));
  const named = tools.filter((tool) => prompt.lastText.includes(tool.name));
  const limited = body["parallel_tool_calls"] === false ? named.slice(0, 1) : named;
  if (kind === "required" || kind === "any") return limited.length > 0 ? limited : [first];
  return prompt.endsWithToolResult ? [] : limited;
}

function readTool(value: unknown): readonly Tool[] {
  const tool = objectIn(value);
  const named = objectIn(tool?.["function"]) ?? tool;
  const name = textIn(named?.["name"]);
  return name === undefined ? [] : [{ name, schema: named?.["parameters"] ?? named?.["input_schema"] }];
}

function chosenName(choice: unknown): string | undefined {
  const object = objectIn(choice);
  return textIn(objectIn(object?.["function"])?.["name"]) ?? textIn(object?.["name"]);
}
