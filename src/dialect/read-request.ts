import { allow, refuse, type Decision } from "../decision.ts";
import type { Surface } from "../region/catalogue.ts";
import { edit, parseDocument, type Edit, type SourceText } from "./document.ts";
import { FieldReader, isObject, type JsonObject } from "./field-reader.ts";
import { measurePrompt } from "./measure-prompt.ts";
import type { ModelRequest } from "./model-request.ts";
import { readPrompts, type Prompts } from "./read-prompts.ts";
import { probabilitiesAsked, withoutProbabilities, type ProbabilitiesAsked } from "./log-probabilities.ts";
import { newSurvey, surveyContent, surveyHostedTool, surveyTools, type Survey } from "./survey-content.ts";

/** No model writes as much; beyond it a hold would no longer be an exact integer. */
const mostOutputTokens = 1_000_000_000;
const mostChoices = 128;
const longestName = 256;
const longestEndUser = 1_024;

/** What one surface says of itself, beside what all have. */
interface SurfaceFacts {
  readonly maxOutputTokens: number | undefined;
  readonly choices: number;
  readonly endUser: string | undefined;
  readonly prompts?: Prompts;
}

/**
 * Reads the few fields that decisions need, and refuses what cannot be held to a limit or a country. `modelFromPath` is
 * the deployment that an Azure path names; it wins over the body, as it does at Azure.
 */
export function readModelRequest(surface: Surface, bytes: Uint8Array, modelFromPath: string | undefined): Decision<ModelRequest> {
  const document = parseDocument(bytes);
  if (!document.ok) return document;
  const { source } = document.value;
  const fields = new FieldReader(document.value);
  const survey = newSurvey();
  refuseLookalikes(fields, source);

  const modelInBody = fields.text("model", longestName);
  const model = modelFromPath ?? modelInBody;
  if (model === undefined) fields.require("model");
  const stream = (surface === "embeddings" || surface === "count_tokens" ? undefined : fields.flag("stream")) ?? false;
  const streamOptions = fields.object("stream_options");
  const facts = readers[surface](fields, survey);
  const previousResponseId = surface === "responses" ? fields.text("previous_response_id", longestName) : undefined;
  surveyTools(fields.array("tools") ?? [], survey);
  if (previousResponseId !== undefined) survey.unbounded = true;
  if (survey.refusal !== undefined) fields.refuse(survey.refusal);

  const serviceTier = fields.text("service_tier", longestName);
  const usageIsAnOption = surface === "chat.completions" || surface === "completions";
  const asksForUsage = usageIsAnOption ? readIncludeUsage(fields, streamOptions) : true;
  const addUsage = stream && !asksForUsage;
  const logProbabilities = probabilitiesAsked(surface, fields);
  if (fields.refusal !== undefined || model === undefined)
    return refuse(fields.refusal ?? { kind: "missing_field", param: "model" });

  return allow({
    surface,
    model,
    stream,
    includeUsage: asksForUsage,
    maxOutputTokens: facts.maxOutputTokens,
    choices: facts.choices,
    previousResponseId,
    endUser: facts.endUser,
    serviceTier,
    prompt: measurePrompt(source, survey, facts.prompts),
    extractsWeights: logProbabilities !== undefined && shiftsScores(fields),
    logProbabilities: logProbabilities !== undefined,
    hostedTools: [...survey.hostedTools].sort(),
    ...body(source, modelInBody, addUsage ? { ...streamOptions, include_usage: true } : undefined, logProbabilities),
  });
}

/** Holds on to the source alone: the parsed values must not live as long as a stream does. */
function body(
  source: SourceText,
  modelInBody: string | undefined,
  streamOptions: JsonObject | undefined,
  logProbabilities: ProbabilitiesAsked | undefined,
): Pick<ModelRequest, "bodyFor" | "release"> {
  let held: SourceText | undefined = source;
  return {
    bodyFor(upstreamModel, withoutLogProbabilities = false) {
      if (held === undefined) throw new Error("the body was let go of");
      const edits: Edit[] = [];
      if (modelInBody !== upstreamModel) edits.push({ name: "model", json: JSON.stringify(upstreamModel) });
      if (streamOptions !== undefined) edits.push({ name: "stream_options", json: JSON.stringify(streamOptions) });
      if (withoutLogProbabilities && logProbabilities !== undefined) edits.push(...withoutProbabilities(logProbabilities));
      return edit(held, edits);
    },
    release() {
      held = undefined;
    },
  };
}

const readers: Readonly<Record<Surface, (fields: FieldReader, survey: Survey) => SurfaceFacts>> = {
  "chat.completions": (fields, survey) => {
    readMessages(fields, survey);
    if (fields.has("web_search_options")) surveyHostedTool("web_search", survey);
    // Azure runs them with other deployments of the same resource, which no permit names.
    refusePresent(
      fields,
      "data_sources",
      "they run other deployments, for which no permit was given. Put the documents into the messages.",
    );
    const older = fields.integer("max_tokens", 1, mostOutputTokens);
    const newer = fields.integer("max_completion_tokens", 1, mostOutputTokens);
    return {
      // Which of the two an upstream obeys is its own affair; the larger bounds both.
      maxOutputTokens: older === undefined ? newer : Math.max(older, newer ?? 0),
      choices: fields.integer("n", 1, mostChoices) ?? 1,
      endUser: readEndUser(fields),
    };
  },
  completions: (fields) => {
    const prompts = readPrompts(fields, "prompt");
    const each = Math.max(fields.integer("n", 1, mostChoices) ?? 1, fields.integer("best_of", 1, mostChoices) ?? 1);
    return {
      // None at all is how a prompt is scored: `echo` with `logprobs`.
      maxOutputTokens: fields.integer("max_tokens", 0, mostOutputTokens),
      choices: each * prompts.count,
      endUser: readEndUser(fields),
      prompts,
    };
  },
  embeddings: (fields) => ({
    maxOutputTokens: 0,
    choices: 1,
    endUser: readEndUser(fields),
    prompts: readPrompts(fields, "input"),
  }),
  responses: (fields, survey) => {
    readInput(fields, survey);
    refuseKeptState(fields);
    return {
      maxOutputTokens: fields.integer("max_output_tokens", 1, mostOutputTokens),
      choices: 1,
      endUser: readEndUser(fields),
    };
  },
  messages: (fields, survey) => {
    readMessages(fields, survey);
    fields.require("max_tokens");
    return readAnthropic(fields, survey, fields.integer("max_tokens", 0, mostOutputTokens));
  },
  count_tokens: (fields, survey) => {
    readMessages(fields, survey);
    return readAnthropic(fields, survey, 0);
  },
};

function readMessages(fields: FieldReader, survey: Survey): void {
  fields.require("messages");
  const messages = fields.array("messages");
  if (messages === undefined) return;
  if (messages.length === 0 || !messages.every(isObject)) {
    fields.refuse({ kind: "invalid_field", param: "messages", expected: "an array of at least one message" });
  }
  surveyContent(messages, "messages", survey);
}

function readInput(fields: FieldReader, survey: Survey): void {
  if (!fields.has("previous_response_id")) fields.require("input");
  const input = fields.any("input");
  if (input === undefined || typeof input === "string") return;
  if (!Array.isArray(input)) fields.refuse({ kind: "invalid_field", param: "input", expected: "a string or an array of items" });
  surveyContent(input, "input", survey);
}

function readEndUser(fields: FieldReader): string | undefined {
  return fields.text("safety_identifier", longestEndUser) ?? fields.text("user", longestEndUser);
}

function readAnthropic(fields: FieldReader, survey: Survey, maxOutputTokens: number | undefined): SurfaceFacts {
  surveyContent(fields.any("system"), "system", survey);
  if ((fields.array("mcp_servers") ?? []).length > 0) surveyHostedTool("mcp", survey);
  refusePresent(fields, "inference_geo", "where a request runs is decided by your verified facts and the policy. Leave it out.");
  refusePresent(
    fields,
    "fallbacks",
    "only the model asked for may answer. Leave it out, and ask for another model in a new request.",
  );
  refusePresent(fields, "container", "it names a container kept at one upstream. Leave it out.");
  const endUser = fields.object("metadata")?.["user_id"] ?? undefined;
  if (endUser !== undefined && (typeof endUser !== "string" || endUser.length > longestEndUser)) {
    fields.refuse({
      kind: "invalid_field",
      param: "metadata.user_id",
      expected: `a string of at most ${longestEndUser} characters`,
    });
  }
  return { maxOutputTokens, choices: 1, endUser: typeof endUser === "string" ? endUser : undefined };
}

/** State of the Responses API that an upstream keeps and we could neither find again nor settle. */
function refuseKeptState(fields: FieldReader): void {
  if (fields.flag("background") === true) {
    const detail = "an answer made in the background has no end that could be metered. Use stream instead.";
    fields.refuse({ kind: "unsupported_field", param: "background", detail });
  }
  refusePresent(
    fields,
    "conversation",
    "conversations are kept at one upstream. Use previous_response_id, or send the earlier turns in input.",
  );
  refusePresent(fields, "prompt", "prompt templates are kept at one upstream. Send the prompt in input and instructions.");
}

function refusePresent(fields: FieldReader, param: string, detail: string): void {
  if (fields.has(param)) fields.refuse({ kind: "unsupported_field", param, detail });
}

function readIncludeUsage(fields: FieldReader, streamOptions: JsonObject | undefined): boolean {
  const asked = streamOptions?.["include_usage"] ?? false;
  if (typeof asked !== "boolean")
    fields.refuse({ kind: "invalid_field", param: "stream_options.include_usage", expected: "true or false" });
  return asked === true;
}

/** Shifting the scores of chosen tokens and reading the resulting probabilities lays a model's last layer bare. */
function shiftsScores(fields: FieldReader): boolean {
  const bias = fields.any("logit_bias");
  return bias !== undefined && (typeof bias !== "object" || Object.keys(bias as object).length > 0);
}

const fieldsRead: ReadonlySet<string> = new Set(
  (
    "model messages input prompt stream stream_options max_tokens max_completion_tokens max_output_tokens n best_of user safety_identifier " +
    "metadata tools logit_bias logprobs top_logprobs previous_response_id background conversation inference_geo fallbacks container " +
    "mcp_servers system include web_search_options data_sources service_tier"
  ).split(" "),
);

/** `Max_Tokens` is unknown to us but not to an upstream that reads names regardless of case: what we held would be wrong. */
function refuseLookalikes(fields: FieldReader, source: SourceText): void {
  for (const name of source.members.spans.keys()) {
    const plain = name.toLowerCase();
    if (plain !== name && fieldsRead.has(plain))
      fields.refuse({ kind: "unsupported_field", param: name, detail: `write it ${plain}.` });
  }
}
