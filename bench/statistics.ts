/** The middle of the values; the mean of the two middle ones where there is no single one. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)];
  if (upper === undefined) return Number.NaN;
  const lower = sorted.length % 2 === 0 ? sorted[sorted.length / 2 - 1] : upper;
  return ((lower ?? upper) + upper) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed: nearest rank, never interpolated. NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(share * sorted.length)));
  return sorted[rank - 1] ?? Number.NaN;
}

/**
 * The median over rounds of `values[round] / base[round]`. Neighbours in one round met the same noise, so dividing
 * them before taking the median is steadier than dividing two medians. Rounds that either side lacks are left out.
 */
export function medianRatio(values: readonly (number | undefined)[], base: readonly (number | undefined)[]): number {
  const ratios: number[] = [];
  for (const [round, value] of values.entries()) {
    const below = base[round];
    if (value !== undefined && below !== undefined && below !== 0) ratios.push(value / below);
  }
  return median(ratios);
}

/** Half the distance between the extremes, as a share of the median: how far to trust the median. NaN for none. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}
