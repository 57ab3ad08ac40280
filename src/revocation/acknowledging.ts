import type { Acknowledgement, RevocationPath } from "./path.ts";

interface Standing {
  readonly stands: Acknowledgement;
  /** The paths that have not been told yet how it stands. */
  readonly untold: Set<RevocationPath>;
}

/** What one replica has to say of orders, and which paths are still to be told. */
export class Acknowledging {
  readonly #paths: readonly RevocationPath[];
  readonly #standing = new Map<string, Standing>();

  constructor(paths: readonly RevocationPath[]) {
    this.#paths = paths;
  }

  of(orderId: string): Acknowledgement | undefined {
    return this.#standing.get(orderId)?.stands;
  }

  set(acknowledgement: Acknowledgement): void {
    this.#standing.set(acknowledgement.orderId, { stands: acknowledgement, untold: new Set(this.#paths) });
  }

  forget(orderId: string): void {
    this.#standing.delete(orderId);
  }

  /** Tells a path what it was not told; what it does not take is told the next time. */
  async tell(path: RevocationPath): Promise<void> {
    // Taken out before it is told: what changes meanwhile is a new thing to tell.
    const telling = [...this.#standing.values()].filter(({ untold }) => untold.delete(path));
    if (telling.length === 0) return;
    try {
      await path.acknowledge(telling.map(({ stands }) => stands));
    } catch (error) {
      for (const { untold } of telling) untold.add(path);
      throw error;
    }
  }
}
