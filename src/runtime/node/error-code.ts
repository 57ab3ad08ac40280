/** What the system calls a failure, such as ENOENT; in its own words where it has no code. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
