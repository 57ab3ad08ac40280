import type { JsonObject } from "./json.ts";

const safe = { filtered: false, severity: "safe" };
const notDetected = { filtered: false, detected: false };

/** What Azure's content filters say about text that is harmless, as it stands beside every choice. */
export const completionFilter: JsonObject = { hate: safe, self_harm: safe, sexual: safe, violence: safe };

export const promptFilterResults: readonly JsonObject[] = [
  {
    prompt_index: 0,
    content_filter_results: { hate: safe, jailbreak: notDetected, self_harm: safe, sexual: safe, violence: safe },
  },
];

/** The same facts in the form of the Responses API. */
export function responseFilters(promptBytes: number, answerLength: number): readonly JsonObject[] {
  return [
    responseFilter("prompt", promptBytes, { ...completionFilter, jailbreak: notDetected }),
    responseFilter("completion", answerLength, {
      ...completionFilter,
      protected_material_text: notDetected,
      protected_material_code: notDetected,
    }),
  ];
}

function responseFilter(source: string, endOffset: number, results: JsonObject): JsonObject {
  return {
    blocked: false,
    source_type: source,
    content_filter_raw: null,
    content_filter_results: results,
    content_filter_offsets: { start_offset: 0, end_offset: endOffset, check_offset: 0 },
  };
}
