import type { JsonObject } from "./json.ts";

const greatestEntries = 10_000;

export interface StoredResponse {
  readonly response: JsonObject;
  /** All text of the conversation so far: a follow-up pays for it again. */
  readonly contextTokens: number;
}

/** The responses that one region has issued. Another region knows none of them, as with real resources. */
export class ResponseStore {
  readonly #stored = new Map<string, StoredResponse>();

  get(id: string): StoredResponse | undefined {
    return this.#stored.get(id);
  }

  put(id: string, stored: StoredResponse): void {
    for (const oldest of this.#stored.keys()) {
      if (this.#stored.size < greatestEntries) break;
      this.#stored.delete(oldest);
    }
    this.#stored.set(id, stored);
  }

  delete(id: string): boolean {
    return this.#stored.delete(id);
  }
}
