/** Something wrong with a file of `regions/`, where an editor can jump to it. */
export interface Problem {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** One line a problem, `regions/x.toml:12: message`, in order of file and line. */
export function formatProblems(problems: readonly Problem[]): string {
  return inOrder(problems)
    .map((problem) => `${problem.file}:${problem.line}: ${problem.message}`)
    .join("\n");
}

export function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.message, b.message));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
