import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import type { Config } from "./config.ts";
import { log } from "./log.ts";

/** A process that dies faster than this after its start is not started again and again without a pause. */
const restartPauseMs = 1_000;

/**
 * Several processes on one port, so that all cores work. They share the stores' files, in which limits are exact across
 * processes. One that dies is replaced; what it held open is found by its reservations.
 */
export async function runProcesses(
  config: Config,
  environment: Readonly<Record<string, string>>,
  greeting: (url: string) => string,
): Promise<void> {
  // Each process accepts for itself. Handed over by this one, a connection on its way to a process that dies stays open,
  // and its client waits for ever.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let stopping = false;
  const fork = (): Worker => cluster.fork(environment);
  cluster.on("exit", (worker, code, signal) => {
    if (stopping) return;
    log.warn("a gateway process ended and is replaced", { pid: worker.process.pid, code, signal });
    setTimeout(() => {
      if (!stopping) fork();
    }, restartPauseMs);
  });
  const { promise: listening, resolve } = Promise.withResolvers<number>();
  let count = 0;
  // Whichever they are: one that dies before it listens has its replacement do so.
  cluster.on("listening", (_worker, { port }) => {
    if (++count === config.processes) resolve(port);
  });
  for (let started = 0; started < config.processes; started++) fork();
  const port = await listening;
  const url = `http://${config.host}:${port}`;
  process.stdout.write(`Strait is listening on ${url} with ${config.processes} processes\n${greeting(url)}\n`);

  const stop = (): void => {
    stopping = true;
    const exits = Object.values(cluster.workers ?? {}).map((worker) => {
      if (worker === undefined) return Promise.resolve();
      const exited = once(worker, "exit");
      worker.process.kill("SIGTERM");
      return exited;
    });
    void Promise.all(exits).then(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}
