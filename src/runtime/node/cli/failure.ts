/** What scripts tell apart by the exit code. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command: the message says what to do, and goes to standard error. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: ExitCode;
  /** The API's own document about it, for `--json`. */
  readonly document: unknown;

  constructor(exitCode: ExitCode, message: string, document?: unknown) {
    super(message);
    this.exitCode = exitCode;
    this.document = document;
  }
}

export function usageFailure(message: string): Failure {
  return new Failure(exitCodes.usage, message);
}
