import { amountsOf, type Amounts } from "../limit.ts";

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

  amounts(times = 1): Amounts {
    const { tokens, ...others } = amountsOf(
      times * this.#requests,
      times * this.#inputTokens,
      times * this.#outputTokens,
      times * this.#microUsd,
    );
    return { tokens, ...others, concurrent: times * this.#concurrent };
  }

  #count({ requests, inputTokens, outputTokens, microUsd, concurrent = 1 }: Amounts, sign: 1 | -1): void {
    this.#requests += sign * requests;
    this.#inputTokens += sign * inputTokens;
    this.#outputTokens += sign * outputTokens;
    this.#microUsd += sign * microUsd;
    this.#concurrent += sign * concurrent;
  }
}
