import { amountsOf, type Amounts } from "../limit.ts";
import type { LimitUnit } from "../../tenant/limit-setting.ts";

/** Amounts that are added up in place, for slices are touched by every request. */
export class Tally {
  #requests = 0;
  #inputTokens = 0;
  #outputTokens = 0;
  #microUsd = 0;
  #concurrent = 0;

  add(amounts: Amounts): void {
    this.#count(amounts, 1);
  }

  take(amounts: Amounts): void {
    this.#count(amounts, -1);
  }

  clear(): void {
    this.take(this.amounts());
  }

  of(unit: LimitUnit): number {
    switch (unit) {
      case "requests":
        return this.#requests;
      case "tokens":
        return this.#inputTokens + this.#outputTokens;
      case "input_tokens":
        return this.#inputTokens;
      case "output_tokens":
        return this.#outputTokens;
      case "micro_usd":
        return this.#microUsd;
      case "concurrent":
        return this.#concurrent;
    }
  }

  amounts(times = 1): Amounts {
    const [input, output] = [times * this.#inputTokens, times * this.#outputTokens];
    return {
      ...amountsOf(times * this.#requests, input, output, times * this.#microUsd),
      concurrent: times * this.#concurrent,
    };
  }

  #count({ requests, inputTokens, outputTokens, microUsd, concurrent = 1 }: Amounts, sign: 1 | -1): void {
    this.#requests += sign * requests;
    this.#inputTokens += sign * inputTokens;
    this.#outputTokens += sign * outputTokens;
    this.#microUsd += sign * microUsd;
    this.#concurrent += sign * concurrent;
  }
}
