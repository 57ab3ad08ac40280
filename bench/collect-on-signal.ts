/** Preloaded into a measured Node process: without a collection, memory shows how lazy the collector is, not what a stream keeps. */
process.on("SIGUSR2", () => {
  const collect = globalThis.gc;
  if (collect === undefined) return;
  collect();
  collect();
});
