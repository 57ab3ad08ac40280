import type { Clock } from "../../clock.ts";
import type { Directory } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";

/** Whoever has not been answered for so long may be gone. */
const goneAfterMs = 1_000;

interface LookUp {
  readonly askedAtMs: number;
  readonly found: { readonly entry: DirectoryEntry | undefined } | undefined;
}

/**
 * Tenants' entries, each looked up once for all exchanges of an isolate. What one request waits for no other may wait for: who
 * finds that it is being asked for comes again.
 */
export class LookedUp implements Pick<Directory, "find"> {
  readonly #directory: Pick<Directory, "find">;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #lookUps = new Map<string, LookUp>();

  constructor(directory: Pick<Directory, "find">, clock: Pick<Clock, "nowMs">) {
    this.#directory = directory;
    this.#clock = clock;
  }

  isAskedFor(tenantId: string): boolean {
    const lookUp = this.#lookUps.get(tenantId);
    return lookUp?.found === undefined && lookUp !== undefined && this.#clock.nowMs() - lookUp.askedAtMs < goneAfterMs;
  }

  async find(tenantId: string): Promise<DirectoryEntry | undefined> {
    const found = this.#lookUps.get(tenantId)?.found;
    if (found !== undefined) return found.entry;
    const askedAtMs = this.#clock.nowMs();
    this.#lookUps.set(tenantId, { askedAtMs, found: undefined });
    try {
      const entry = await this.#directory.find(tenantId);
      this.#lookUps.set(tenantId, { askedAtMs, found: { entry } });
      return entry;
    } catch (error) {
      this.#lookUps.delete(tenantId);
      throw error;
    }
  }
}
