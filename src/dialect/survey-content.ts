/**
 * Looks through messages and tools for what the text's length does not tell: images, references to things elsewhere,
 * and references to things that an upstream keeps. The last are refused: files, items and vector stores are kept at one
 * deployment, in an account that tenants share, and no id of them can have come from here.
 */
import type { Refusal } from "../refusal.ts";
import type { HostedTool } from "../region/policy.ts";
import { isObject, type JsonObject } from "./field-reader.ts";

export interface Survey {
  images: number;
  /** Bytes of the body that are an image's data, hence no text. */
  imageDataBytes: number;
  /** Bytes of the body that are a recording's data. */
  audioDataBytes: number;
  unbounded: boolean;
  /** Tools that the upstream would run itself. */
  readonly hostedTools: Set<HostedTool>;
  refusal: Refusal | undefined;
}

export function newSurvey(): Survey {
  return { images: 0, imageDataBytes: 0, audioDataBytes: 0, unbounded: false, hostedTools: new Set(), refusal: undefined };
}

/** `param` is the field that a refusal names: `messages` or `input`. */
export function surveyContent(node: unknown, param: string, survey: Survey): void {
  if (Array.isArray(node)) {
    for (const child of node) surveyContent(child, param, survey);
    return;
  }
  if (!isObject(node)) return;
  surveyPart(node, param, survey);
  // Not `input` or `arguments`: what a model or a tool wrote there is the tenant's own data, whatever it looks like.
  if (typeof node["content"] === "object") surveyContent(node["content"], param, survey);
  if (typeof node["output"] === "object") surveyContent(node["output"], param, survey);
}

function surveyPart(part: JsonObject, param: string, survey: Survey): void {
  switch (part["type"]) {
    case "image_url":
    case "input_image":
    case "computer_screenshot": {
      const image = part["image_url"];
      surveyImage(isObject(image) ? image["url"] : image, survey);
      refuseFile(part, param, survey);
      return;
    }
    case "input_audio": {
      const audio = part["input_audio"];
      if (isObject(audio) && typeof audio["data"] === "string") survey.audioDataBytes += audio["data"].length;
      return;
    }
    case "image":
      surveySource(part["source"], param, survey, true);
      return;
    case "document":
      surveySource(part["source"], param, survey, false);
      return;
    case "file":
      if (isObject(part["file"])) refuseFile(part["file"], param, survey);
      return;
    case "input_file":
      if (isPresent(part["file_url"])) survey.unbounded = true;
      refuseFile(part, param, survey);
      return;
    case "container_upload":
      refuseFile(part, param, survey);
      return;
    case "item_reference":
      refuse(
        survey,
        param,
        "item_reference names an item kept at one upstream. Send the item itself, or use previous_response_id.",
      );
  }
}

function surveyImage(url: unknown, survey: Survey): void {
  survey.images++;
  if (typeof url === "string" && url.startsWith("data:image/")) survey.imageDataBytes += url.length;
}

/** Anthropic's `source`: data in place, a URL, a file's id, or further content. */
function surveySource(source: unknown, param: string, survey: Survey, isImage: boolean): void {
  if (isImage) survey.images++;
  if (!isObject(source)) return;
  if (isImage && source["type"] === "base64" && typeof source["data"] === "string")
    survey.imageDataBytes += source["data"].length;
  if (!isImage && isPresent(source["url"])) survey.unbounded = true;
  refuseFile(source, param, survey);
  surveyContent(source["content"], param, survey);
}

function refuseFile(holder: JsonObject, param: string, survey: Survey): void {
  if (isPresent(holder["file_id"]))
    refuse(survey, param, "file_id names a file kept at one upstream. Send the file's content instead.");
}

/** What the client itself runs, or what only picks among the body's own tools; every other tool runs at the upstream, with input that we do not see. */
const clientTools = /^(function|custom|apply_patch|local_shell|bash_|text_editor_|computer|memory_|tool_search)/;

export function surveyTools(tools: readonly unknown[], survey: Survey): void {
  for (const tool of tools) {
    if (!isObject(tool)) continue;
    const type = tool["type"];
    if (typeof type === "string" && !clientTools.test(type)) surveyHostedTool(hostedToolOf(type), survey);
    // A tool with a model of its own would run a model that no permit was given for.
    if (Object.keys(tool).some((name) => name.toLowerCase() === "model"))
      refuse(survey, "tools", "a tool may not name a model of its own.");
    if (type === "image_generation")
      refuse(survey, "tools", "image_generation runs another model, for which no permit was given.");
    if (isPresent(tool["vector_store_ids"])) refuse(survey, "tools", "vector_store_ids name stores kept at one upstream.");
    if (typeof tool["container"] === "string")
      refuse(survey, "tools", "container names a container kept at one upstream. Use an automatic one.");
  }
}

/** What such a tool reads is not in the body, so the body does not bound the input either. */
export function surveyHostedTool(tool: HostedTool, survey: Survey): void {
  survey.unbounded = true;
  survey.hostedTools.add(tool);
}

/** By what its type begins with, for types carry dates; what nobody here knows is `other`. */
function hostedToolOf(type: string): HostedTool {
  if (type.startsWith("web_search")) return "web_search";
  if (type.startsWith("web_fetch")) return "web_fetch";
  if (type.startsWith("file_search")) return "file_search";
  if (type.startsWith("code_execution") || type === "code_interpreter") return "code_execution";
  return type.startsWith("mcp") ? "mcp" : "other";
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function refuse(survey: Survey, param: string, detail: string): void {
  survey.refusal ??= { kind: "unsupported_field", param, detail };
}
