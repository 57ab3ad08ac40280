import type { Children } from "../../bench/children.ts";

/** What a drill prints: cells as they are shown, the first column names the row. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What must not be exceeded. The drill fails where `is` is more than `atMost`. */
export interface Bound {
  readonly title: string;
  readonly is: number;
  readonly atMost: number;
}

export interface DrillReport {
  readonly tables: readonly Table[];
  readonly bounds: readonly Bound[];
  /** What a reader must know to read the tables. */
  readonly notes: readonly string[];
}

export interface DrillOptions {
  /** How long faults go on, beside starting and counting. */
  readonly faultMs: number;
  /** The folder of the Azure traces; where its files are absent, a synthetic trace stands in. */
  readonly tracesDir: string;
  /** Owns every process and folder of the run, so that none outlives it. */
  readonly children: Children;
  readonly say: (text: string) => void;
}

export type ServerProgram = "postgres" | "valkey";

/** One fault, for real. */
export interface Drill {
  readonly name: string;
  readonly summary: string;
  /** Servers that must be installed. */
  readonly needs: readonly ServerProgram[];
  run(options: DrillOptions): Promise<DrillReport>;
}

export function holds({ is, atMost }: Bound): boolean {
  return is <= atMost;
}

/** 0 where every bound of every drill holds, else 1. */
export function exitCodeOf(reports: readonly DrillReport[]): 0 | 1 {
  return reports.every(({ bounds }) => bounds.every(holds)) ? 0 : 1;
}
