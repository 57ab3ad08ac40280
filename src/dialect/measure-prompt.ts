import type { SourceText } from "./document.ts";
import type { PromptMeasure } from "./model-request.ts";
import type { Prompts } from "./read-prompts.ts";
import type { Survey } from "./survey-content.ts";

/**
 * Measures a prompt from above without tokenising it: the whole body counts, field names and all. A prompt given as
 * tokens is as many bytes outside ASCII as it has tokens, for no reckoning takes such a byte for more than one.
 */
export function measurePrompt(source: SourceText, survey: Survey, prompts: Prompts | undefined): PromptMeasure {
  const { otherBytes, cjkBytes } = source.text.length === source.bytes.length ? noOther : countOtherBytes(source.bytes);
  const span = prompts === undefined || prompts.tokens === 0 ? undefined : source.members.spans.get(prompts.field);
  const numberBytes = span === undefined ? 0 : span.end - span.start;
  return {
    asciiBytes: Math.max(0, source.bytes.length - otherBytes - survey.imageDataBytes - survey.audioDataBytes - numberBytes),
    otherBytes: otherBytes + (prompts?.tokens ?? 0),
    cjkBytes,
    images: survey.images,
    audioBytes: survey.audioDataBytes,
    unbounded: survey.unbounded,
  };
}

interface OtherBytes {
  readonly otherBytes: number;
  readonly cjkBytes: number;
}

const noOther: OtherBytes = { otherBytes: 0, cjkBytes: 0 };

/** Kana, Chinese characters and Hangul are written in three bytes, of which the first lies between these two. */
const firstCjk = 0xe3;
const lastCjk = 0xed;

function countOtherBytes(bytes: Uint8Array): OtherBytes {
  let otherBytes = 0;
  let cjkBytes = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    otherBytes += byte >> 7;
    if (byte >= firstCjk && byte <= lastCjk) cjkBytes += 3;
  }
  return { otherBytes, cjkBytes };
}
