/**
 * How many tokens a model makes of a prompt's bytes, learnt from what upstreams reported: for each model and script the
 * share of the plain bound (`textBound`) that all but one in a hundred prompts stayed within. No tokenizer runs on a
 * request's path. Integers only: shares are in thousandths.
 *
 * Until enough is known the bound itself holds, and never does a share leave what is plausible, whatever is reported: a
 * tenant that sends strange prompts moves the hundredth prompt, not the estimate of everybody's.
 */
import type { PromptMeasure } from "../dialect/model-request.ts";
import { ceilDivide } from "./ceil-divide.ts";
import { FadingHistogram } from "./fading-histogram.ts";
import { scriptOf, textBound, type Script } from "./prompt-bytes.ts";

const bucketPermille = 20;
/** Twice the bound is one token a byte of ASCII, and no tokenizer makes more. */
const mostPermille = 2_000;
/** Eight bytes of ASCII to a token: denser than any prose that was seen. */
const leastPermille = 250;

const quantilePermille = 990;
/** Below this the hundredth prompt has not been seen. */
const leastSamples = 200;
const keptSamples = 4_000;

/** Of shorter prompts most is framing, which says nothing of the text. */
const leastBound = 64;
const framingTokens = 32;

export class PromptCalibration {
  readonly #seen = new Map<string, FadingHistogram>();

  /** Takes in what the upstream counted for a prompt of text alone. */
  learn(model: string, prompt: PromptMeasure, reportedTokens: number): void {
    const bound = textBound(prompt);
    if (bound < leastBound) return;
    const permille = Math.floor((Math.max(0, reportedTokens - framingTokens) * 1_000) / bound);
    this.#histogram(model, scriptOf(prompt)).add(Math.floor(permille / bucketPermille));
  }

  /** The share of `textBound`, in thousandths, to hold for a prompt. */
  sharePermille(model: string, prompt: PromptMeasure): number {
    const histogram = this.#seen.get(`${model}\n${scriptOf(prompt)}`);
    if (histogram === undefined || histogram.total < leastSamples) return 1_000;
    // The upper edge of the bucket, and one bucket more: what was seen is no promise.
    const edge = (histogram.quantile(quantilePermille) + 2) * bucketPermille;
    return Math.min(mostPermille, Math.max(leastPermille, edge));
  }

  /** The tokens to hold for the text of a prompt, framing not included. */
  textTokens(model: string, prompt: PromptMeasure): number {
    const permille = this.sharePermille(model, prompt);
    const most = prompt.asciiBytes + prompt.otherBytes;
    return Math.min(most, ceilDivide(textBound(prompt) * permille, 1_000));
  }

  #histogram(model: string, script: Script): FadingHistogram {
    const name = `${model}\n${script}`;
    let histogram = this.#seen.get(name);
    if (histogram === undefined)
      this.#seen.set(name, (histogram = new FadingHistogram(mostPermille / bucketPermille, keptSamples)));
    return histogram;
  }
}
