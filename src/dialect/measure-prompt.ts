import type { SourceText } from "./document.ts";
import type { PromptMeasure } from "./model-request.ts";
import type { Prompts } from "./read-prompts.ts";
import type { Survey } from "./survey-content.ts";

/**
 * Measures a prompt from above without tokenising it: the whole body counts, field names and all. A prompt given as
 * tokens is as many bytes outside ASCII as it has tokens, for no reckoning takes such a byte for more than one.
 */
export function measurePrompt(source: SourceText, survey: Survey, prompts: Prompts | undefined): PromptMeasure {
  const otherBytes = source.text.length === source.bytes.length ? 0 : countOtherBytes(source.bytes);
  const span = prompts === undefined || prompts.tokens === 0 ? undefined : source.members.spans.get(prompts.field);
  const numberBytes = span === undefined ? 0 : span.end - span.start;
  return {
    asciiBytes: Math.max(0, source.bytes.length - otherBytes - survey.imageDataBytes - numberBytes),
    otherBytes: otherBytes + (prompts?.tokens ?? 0),
    images: survey.images,
    unbounded: survey.unbounded,
  };
}

function countOtherBytes(bytes: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < bytes.length; index++) count += (bytes[index] as number) >> 7;
  return count;
}
