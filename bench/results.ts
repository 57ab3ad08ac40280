import type { MetricName } from "./metrics.ts";
import { median, medianRatio } from "./statistics.ts";

const longestNote = 400;

/** What was seen: for each metric and subject one value a round, with holes where a measurement failed. */
export class Results {
  readonly #values = new Map<MetricName, Map<string, (number | undefined)[]>>();
  readonly #notes = new Map<string, number>();

  add(metric: MetricName, subject: string, round: number, value: number): void {
    const subjects = this.#values.get(metric) ?? new Map<string, (number | undefined)[]>();
    this.#values.set(metric, subjects);
    const values = subjects.get(subject) ?? [];
    subjects.set(subject, values);
    while (values.length < round) values.push(undefined);
    values[round] = value;
  }

  /** Something the reader must know; the same note is kept once. */
  note(text: string): void {
    // What a process said on its way out has many lines, and a note is one.
    const line = text.replaceAll(/\s+/g, " ").slice(0, longestNote);
    this.#notes.set(line, (this.#notes.get(line) ?? 0) + 1);
  }

  get notes(): readonly string[] {
    return [...this.#notes].map(([text, times]) => (times === 1 ? text : `${text} (${times} times)`));
  }

  /** Undefined where nothing was measured. */
  median(metric: MetricName, subject: string): number | undefined {
    const values = this.rounds(metric, subject).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  }

  ratio(metric: MetricName, subject: string, base: string): number | undefined {
    const ratio = medianRatio(this.rounds(metric, subject), this.rounds(metric, base));
    return Number.isNaN(ratio) ? undefined : ratio;
  }

  rounds(metric: MetricName, subject: string): readonly (number | undefined)[] {
    return this.#values.get(metric)?.get(subject) ?? [];
  }

  subjects(metric: MetricName): readonly string[] {
    return [...(this.#values.get(metric)?.keys() ?? [])];
  }
}
