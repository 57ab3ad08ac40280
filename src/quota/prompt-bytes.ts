import type { PromptMeasure } from "../dialect/model-request.ts";
import { ceilDivide } from "./ceil-divide.ts";

/**
 * A token of a real prompt in ASCII is two bytes or longer: prose has about four to a token, source code three, digits up
 * to three, hex and Base64 two and a little less. Text made to be worse (one rare character after another) reaches one,
 * and is then charged above its hold: holding twice as much for everybody would refuse honest clients for its sake.
 */
const asciiBytesPerToken = 2;

/**
 * Byte-level tokenizers never make more than one token of one byte, and for rare scripts and emoji they come close. For
 * Chinese it is about three times too much, which calibration learns and settling gives back.
 */
const otherBytesPerToken = 1;

/** What a prompt is mostly written in, by what its text is held for: tokenizers treat each so differently that they are learnt apart. */
export type Script = "ascii" | "mixed" | "cjk" | "other";

/** The tokens that a prompt's text cannot well exceed, before anything is known of how this model's tokenizer fares with it. */
export function textBound({ asciiBytes, otherBytes }: PromptMeasure): number {
  return ceilDivide(asciiBytes, asciiBytesPerToken) + ceilDivide(otherBytes, otherBytesPerToken);
}

export function scriptOf(prompt: PromptMeasure): Script {
  const bound = textBound(prompt);
  if (prompt.otherBytes * 10 < bound) return "ascii";
  if (prompt.otherBytes * 2 < bound) return "mixed";
  return (prompt.cjkBytes ?? 0) * 2 >= prompt.otherBytes ? "cjk" : "other";
}
