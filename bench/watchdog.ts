import { rmSync } from "node:fs";

/** Ends a run's processes and removes its directory when the run was killed before it could do so itself. */
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
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  process.exit(0);
});
