import type { Hold } from "../quota/estimate.ts";
import type { Amounts } from "../quota/limit.ts";
import type { Price } from "../region/catalogue.ts";
import { costMicroUsd } from "./price.ts";
import type { Receipt } from "./receipt.ts";
import type { Usage } from "../upstream/usage.ts";

/** What is known of an exchange when it is over. */
export interface SettlementFacts {
  readonly hold: Hold;
  /** Whether any upstream may have worked on the request: false only where none can have received it. */
  readonly reached: boolean;
  /** Whether every attempt failed on the upstream's side, so that nothing of an answer reached the client. */
  readonly failedUpstream: boolean;
  /**
   * The status of the upstream's last answer, `undefined` where none came. For a refusal inside a stream that began with
   * 200, the status that it stands for.
   */
  readonly status: number | undefined;
  /** As far as the upstream reported it. */
  readonly usage: Usage;
  /** Whether the report covers the whole answer. The first event of a stream may carry counts of a beginning. */
  readonly usageComplete: boolean;
  /** Events seen that carried output: each is at least one token. */
  readonly outputEventsSeen: number;
  /** Of the deployment that answered; `undefined` where none did. */
  readonly price: Price | undefined;
}

export interface Settled {
  readonly charge: Amounts;
  /** What the upstream reported, unknown where it did not: an estimate never poses as a report. */
  readonly usage: Usage;
  readonly usageSource: Receipt["usageSource"];
}

/**
 * What an exchange is charged. This is the one place that says what unknown usage costs; the first line that fits decides:
 *
 * | what happened | tokens charged | source |
 * |---|---|---|
 * | no upstream was reached | none | `none` |
 * | every attempt failed on the upstream's side | none: a client does not pay for what it was not given | `none` |
 * | the upstream reported what the whole answer used | those, even above the hold | `reported` |
 * | the upstream answered with an error | none: providers bill no errors | `none` |
 * | the answer was cut, but something of it was seen | the input reported or else held, the output reported or seen, whichever is more; never above the hold | `estimated` |
 * | nothing is known | the whole hold | `held` |
 */
export function settle(facts: SettlementFacts): Settled {
  const { hold, usage, price } = facts;
  const settled = (charge: Amounts, usageSource: Settled["usageSource"]): Settled => ({ charge, usage, usageSource });

  if (!facts.reached || facts.failedUpstream) return settled(charged(0, 0), "none");
  if (facts.usageComplete && price !== undefined) return settled(charged(tokensOf(usage), costMicroUsd(usage, price)), "reported");
  if (isError(facts.status)) return settled(charged(0, 0), "none");

  const seen = facts.outputEventsSeen > 0 || usage.inputTokens !== undefined || usage.outputTokens !== undefined;
  if (!seen || price === undefined) return settled(hold.amounts, "held");
  const likely: Usage = {
    ...usage,
    inputTokens: usage.inputTokens ?? hold.promptTokens,
    outputTokens: Math.max(usage.outputTokens ?? 0, facts.outputEventsSeen),
  };
  const tokens = Math.min(tokensOf(likely), hold.amounts.tokens);
  return settled(charged(tokens, Math.min(costMicroUsd(likely, price), hold.amounts.microUsd)), "estimated");
}

function tokensOf(usage: Usage): number {
  return (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
}

function charged(tokens: number, microUsd: number): Amounts {
  return { requests: 0, tokens, microUsd };
}

function isError(status: number | undefined): boolean {
  return status !== undefined && (status < 200 || status > 299);
}
