/** What went wrong, kept short: a target that refuses everything must not fill the memory with its reasons. */
export class Tally {
  completed = 0;
  failed = 0;
  firstFailure: string | undefined;

  add(failure: string | undefined): void {
    if (failure === undefined) {
      this.completed += 1;
      return;
    }
    this.failed += 1;
    this.firstFailure ??= failure;
  }
}
