import type { Clock, Entropy } from "../../clock.ts";
import { hex } from "../../tenant/key.ts";

/** Lets others wait for what happens in this object, as long as it lives: after an eviction every mark is a new one. */
export class News {
  readonly #clock: Clock;
  readonly #life: string;
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock, entropy: Entropy) {
    this.#clock = clock;
    this.#life = hex(entropy.bytes(8));
  }

  tell(): void {
    this.#count += 1;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves with the latest mark: once it is another than `known`, or after `waitMs`. */
  async after(known: string | undefined, waitMs: number): Promise<string> {
    if (known === this.#mark) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          cancel();
          this.#waiting.delete(wake);
          resolve();
        };
        const cancel = this.#clock.after(waitMs, wake);
        this.#waiting.add(wake);
      });
    }
    return this.#mark;
  }

  get #mark(): string {
    return `${this.#life}:${this.#count}`;
  }
}
