/**
 * The known names nearest to one that is not known, best first, at most three: a refusal that shows them saves the
 * operator a look into the catalogue.
 */
export function nearNames(name: string, known: Iterable<string>): string[] {
  const asked = name.toLowerCase();
  const scored: { name: string; distance: number }[] = [];
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const distance = editDistance(asked, other);
    const contained = other.includes(asked) || asked.includes(other);
    // A quarter of the shorter name: half of two letters would make any country near to any.
    if (contained || distance <= Math.max(1, Math.floor(Math.min(asked.length, other.length) / 4)))
      scored.push({ name: candidate, distance });
  }
  scored.sort((left, right) => left.distance - right.distance || (left.name < right.name ? -1 : 1));
  return scored.slice(0, 3).map((each) => each.name);
}

/** The sentence's tail: the near ones where there are any, else all where they are few. */
export function suggest(name: string, known: readonly string[]): string {
  const near = nearNames(name, known);
  if (near.length > 0) return `Did you mean ${near.map((each) => `\`${each}\``).join(" or ")}?`;
  if (known.length === 0) return "None is known.";
  if (known.length <= 12) return `Known: ${[...known].sort().join(", ")}.`;
  return "";
}

/** Levenshtein, in one row. Names are cut to 64 characters, so that an absurd one costs nothing. */
function editDistance(left: string, right: string): number {
  const from = left.slice(0, 64);
  const to = right.slice(0, 64);
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
