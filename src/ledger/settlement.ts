import type { Hold } from "../quota/estimate.ts";
import { amountsOf, type Amounts } from "../quota/limit.ts";
import type { Price } from "../region/catalogue.ts";
import { costMicroUsd, ratesOf, type PriceTier } from "./price.ts";
import type { Receipt } from "./receipt.ts";
import type { MeteredUsage } from "../upstream/usage.ts";

/** What is known of an exchange when it is over. */
export interface SettlementFacts {
  readonly hold: Hold;
  /** Whether any upstream may have worked on the request: false only where none can have received it. */
  readonly reached: boolean;
  /** Whether every attempt failed on the upstream's side, so that nothing of an answer reached the client. */
  readonly failedUpstream: boolean;
  /** Whether it is a call that providers do not bill: to an answer that was made, and paid for, before. */
  readonly stored?: boolean;
  /**
   * The status of the upstream's last answer, `undefined` where none came. For a refusal inside a stream that began with
   * 200, the status that it stands for.
   */
  readonly status: number | undefined;
  /** As far as the upstream reported it. */
  readonly usage: MeteredUsage;
  /** Whether the report covers the whole answer. The first event of a stream may carry counts of a beginning. */
  readonly usageComplete: boolean;
  /** Events seen that carried output: each is at least one token. */
  readonly outputEventsSeen: number;
  /** Of the deployment that answered, as it was when the request was admitted; `undefined` where none did. */
  readonly price: Price | undefined;
}

export interface Settled {
  readonly charge: Amounts;
  /** What the upstream reported, unknown where it did not: an estimate never poses as a report. */
  readonly usage: MeteredUsage;
  readonly usageSource: Receipt["usageSource"];
  /** Which of the price's rates were charged. */
  readonly priceTier?: PriceTier;
}

/**
 * What an exchange is charged. This is the one place that says what unknown usage costs; the first line that fits decides:
 *
 * | what happened | tokens charged | source |
 * |---|---|---|
 * | no upstream was reached | none | `none` |
 * | every attempt failed on the upstream's side | none: a client does not pay for what it was not given | `none` |
 * | it was a call to a stored answer | none: that was paid for when it was made | `none` |
 * | the upstream reported what the whole answer used | those, even above the hold | `reported` |
 * | … but left out the input or the output | what it left out as it was held | `estimated` |
 * | the upstream answered with an error | none: providers bill no errors | `none` |
 * | the answer was cut, but something of it was seen | the input reported or else held, the output reported or seen, whichever is more; never above the worst case | `estimated` |
 * | nothing is known | the whole hold | `held` |
 */
export function settle(facts: SettlementFacts): Settled {
  const { hold, usage, price } = facts;
  const settled = (charge: Amounts, usageSource: Settled["usageSource"], priceTier?: PriceTier): Settled => ({
    charge,
    usage,
    usageSource,
    priceTier,
  });

  if (!facts.reached || facts.failedUpstream || facts.stored === true) return settled(nothing, "none");
  const isReported = usage.inputTokens !== undefined || usage.outputTokens !== undefined;
  if (facts.usageComplete && isReported && price !== undefined) {
    const { inputTokens = hold.promptTokens, outputTokens = hold.amounts.outputTokens } = usage;
    const whole = { ...usage, inputTokens, outputTokens };
    const isWhole = usage.inputTokens !== undefined && (usage.outputTokens !== undefined || outputTokens === 0);
    const charge = amountsOf(0, inputTokens, outputTokens, costMicroUsd(whole, price));
    return settled(charge, isWhole ? "reported" : "estimated", ratesOf(price, whole).tier);
  }
  if (isError(facts.status)) return settled(nothing, "none");

  const seen = facts.outputEventsSeen > 0 || isReported;
  if (!seen || price === undefined) return settled(hold.amounts, "held");
  const likely: MeteredUsage = {
    ...usage,
    inputTokens: usage.inputTokens ?? hold.promptTokens,
    outputTokens: Math.max(usage.outputTokens ?? 0, facts.outputEventsSeen),
  };
  const { inputTokens: input = 0, outputTokens: output = 0 } = likely;
  const { tokens, microUsd } = hold.worstCase;
  const inputTokens = Math.min(input, tokens);
  const outputTokens = Math.min(output, tokens - inputTokens);
  return settled(
    amountsOf(0, inputTokens, outputTokens, Math.min(costMicroUsd(likely, price), microUsd)),
    "estimated",
    ratesOf(price, likely).tier,
  );
}

const nothing: Amounts = amountsOf(0, 0, 0, 0);

function isError(status: number | undefined): boolean {
  return status !== undefined && (status < 200 || status > 299);
}
