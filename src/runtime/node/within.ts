/**
 * The promise's own end, or `late` once `waitMs` have passed; what it stands for goes on. A process that was busy for so
 * long reads what has come for it meanwhile before it calls anybody late.
 */
export function within<Value>(promise: Promise<Value>, waitMs: number, late: () => Error): Promise<Value> {
  return new Promise((resolve, reject) => {
    let giveUp: NodeJS.Immediate | undefined;
    // Timers come before sockets in a turn of the event loop, and this comes after them.
    const timer = setTimeout(() => (giveUp = setImmediate(() => reject(late()))), waitMs);
    const stop = (): void => {
      clearTimeout(timer);
      clearImmediate(giveUp);
    };
    promise.finally(stop).then(resolve, reject);
  });
}
