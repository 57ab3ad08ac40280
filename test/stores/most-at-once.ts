/** The most spans that overlap; one that ends where another begins does not. */
export function mostAtOnce(spans: readonly (readonly [fromMs: number, toMs: number])[]): number {
  const edges = spans.flatMap(([fromMs, toMs]) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ]);
  edges.sort((left, right) => left.atMs - right.atMs || left.by - right.by);
  let now = 0;
  let most = 0;
  for (const edge of edges) most = Math.max(most, (now += edge.by));
  return most;
}
