import { rmSync } from "node:fs";

/** Ends what is left of a run's processes when the run is gone, even if it was killed outright, and removes its directory. */
const directory = process.argv[2];
const pids = new Set<number>();

process.on("message", (message: { readonly watch?: number; readonly forget?: number }) => {
  if (message.watch !== undefined) pids.add(message.watch);
  if (message.forget !== undefined) pids.delete(message.forget);
});

// A terminal sends its signals to the whole group, and the run is what must act on them.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

process.once("disconnect", () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  // Processes that were just killed may still be writing into it.
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  process.exit(0);
});
