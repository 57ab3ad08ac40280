/** The promise's own end, or `late` once `waitMs` have passed; what it stands for goes on. */
export function within<Value>(promise: Promise<Value>, waitMs: number, late: () => Error): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), waitMs);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
