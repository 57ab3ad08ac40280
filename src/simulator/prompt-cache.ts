const greatestEntries = 1000;

/** Which prompts a region has seen, as a provider's prompt cache remembers prefixes; the oldest are forgotten first. */
export class PromptCache {
  readonly #seen = new Set<number>();

  /** Whether this digest was seen before; it is remembered from now on. */
  see(digest: number): boolean {
    if (this.#seen.has(digest)) return true;
    for (const oldest of this.#seen) {
      if (this.#seen.size < greatestEntries) break;
      this.#seen.delete(oldest);
    }
    this.#seen.add(digest);
    return false;
  }
}

/** OpenAI's rule: prompts of 1,024 tokens or more, in blocks of 128. */
export function cachedTokens(promptTokens: number, seen: boolean): number {
  return seen && promptTokens >= 1024 ? promptTokens - (promptTokens % 128) : 0;
}
