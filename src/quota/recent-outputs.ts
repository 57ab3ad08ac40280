/**
 * How long a tenant's answers from a model have lately been where the client named no ceiling, so that an answer of two
 * hundred tokens need not hold the hundred thousand that the model might write. The 95th percentile: one answer in twenty
 * runs above what is held for it, and is charged what it was. That may carry use above a limit, by what those few wrote
 * more; a tenant for whom that must not be holds the worst case instead.
 */
import { FadingHistogram } from "./fading-histogram.ts";

const quantilePermille = 950;
/** Below this one answer in twenty is a guess. */
const leastSamples = 60;
const keptSamples = 1_000;

/** Tenants with models: those heard of longest ago are forgotten, and held at the model's ceiling again. */
const keptPairs = 10_000;

/** Each power of two in eight parts: an eighth too much at most. */
const partBits = 3;
const parts = 1 << partBits;
const buckets = 30 * parts;

export class RecentOutputs {
  readonly #seen = new Map<string, FadingHistogram>();
  readonly #kept: number;

  constructor(kept: number = keptPairs) {
    this.#kept = kept;
  }

  /** Takes in the tokens of one choice of an answer that no ceiling of the client's could have cut. */
  learn(tenantId: string, model: string, tokens: number): void {
    const name = `${tenantId}\n${model}`;
    let histogram = this.#seen.get(name);
    if (histogram === undefined) histogram = new FadingHistogram(buckets, keptSamples);
    // Set anew, so that the oldest by use stands first.
    else this.#seen.delete(name);
    this.#seen.set(name, histogram);
    histogram.add(bucketOf(tokens));
    if (this.#seen.size <= this.#kept) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  /** What to hold for a choice; `undefined` where too little is known. */
  expected(tenantId: string, model: string): number | undefined {
    const histogram = this.#seen.get(`${tenantId}\n${model}`);
    if (histogram === undefined || histogram.total < leastSamples) return undefined;
    return largestOf(histogram.quantile(quantilePermille));
  }
}

/** Exact below sixteen, then by the leading bits. */
function bucketOf(tokens: number): number {
  if (tokens < 2 * parts) return tokens;
  const shift = 31 - Math.clz32(Math.min(tokens, 2 ** 31 - 1)) - partBits;
  return shift * parts + (Math.min(tokens, 2 ** 31 - 1) >>> shift);
}

/** The largest count that lies in a bucket. */
function largestOf(bucket: number): number {
  if (bucket < 2 * parts) return bucket;
  const shift = Math.floor(bucket / parts) - 1;
  const lead = bucket - shift * parts;
  return (lead + 1) * 2 ** shift - 1;
}
