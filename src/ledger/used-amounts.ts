import type { Amounts } from "../quota/limit.ts";
import type { Receipt } from "./receipt.ts";
import { positionOf, type JournalReader, type Position } from "./journal-reader.ts";

/** What was charged to one key, model and end user, the hold included of what is `unsettled`. */
export interface UsedAmounts {
  readonly keyId: string;
  readonly model: string;
  /** `undefined` for requests that named none, and where end users were taken together. */
  readonly endUser: string | undefined;
  readonly amounts: Amounts;
}

export interface UsedQuery {
  readonly tenantId: string;
  /** Both multiples of `quarterMs`, as a tenant's midnight is in every time zone. */
  readonly fromMs: number;
  /** The first millisecond that is not in the period. */
  readonly toMs: number;
  /** Requests that are left out, by id. */
  readonly except: ReadonlySet<string>;
  /** Otherwise end users are taken together, under `undefined`: a tenant may have very many. */
  readonly byEndUser: boolean;
}

/** Sums what limits count, over the receipts of exchanges that began in a period. */
export interface UsedReader {
  used(query: UsedQuery): Promise<readonly UsedAmounts[]>;
}

/**
 * What one receipt was charged. This is the one place that says what stands for input and output apart where the receipt
 * does not: each as much as it can have been, for nobody may get more than a limit because it is not known.
 */
export function amountsCharged({ chargedTokens, chargedInputTokens, costMicroUsd }: Receipt): Amounts {
  const inputTokens = chargedInputTokens ?? chargedTokens;
  const outputTokens = chargedInputTokens === undefined ? chargedTokens : chargedTokens - chargedInputTokens;
  return { requests: 1, tokens: chargedTokens, inputTokens, outputTokens, microUsd: costMicroUsd };
}

/** Some two milliseconds of reading, for which every stream of this process waits. */
const page = 250;

/** Over any journal that can be scanned, receipt by receipt. */
export class ScannedAmounts implements UsedReader {
  readonly #reader: Pick<JournalReader, "scan">;

  constructor(reader: Pick<JournalReader, "scan">) {
    this.#reader = reader;
  }

  async used({ tenantId, fromMs, toMs, except, byEndUser }: UsedQuery): Promise<readonly UsedAmounts[]> {
    const sums = new Map<string, UsedAmounts>();
    let after: Position | undefined;
    for (;;) {
      const receipts = await this.#reader.scan({ tenantId, fromMs, toMs, after, count: page });
      for (const receipt of receipts) if (!except.has(receipt.requestId)) addReceipt(sums, receipt, byEndUser);
      const last = receipts.at(-1);
      if (last === undefined || receipts.length < page) return [...sums.values()];
      after = positionOf(last);
    }
  }
}

function addReceipt(sums: Map<string, UsedAmounts>, receipt: Receipt, byEndUser: boolean): void {
  const { keyId, model } = receipt;
  const endUser = byEndUser ? receipt.endUser : undefined;
  const name = JSON.stringify([keyId, model, endUser]);
  const before = sums.get(name)?.amounts;
  const amounts = amountsCharged(receipt);
  sums.set(name, { keyId, model, endUser, amounts: before === undefined ? amounts : addAmounts(before, amounts) });
}

/** Also of sums in which tokens are not input and output together, because these are not known apart. */
export function addAmounts(left: Amounts, right: Amounts): Amounts {
  return {
    requests: left.requests + right.requests,
    tokens: left.tokens + right.tokens,
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    microUsd: left.microUsd + right.microUsd,
  };
}
