import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { Unavailable } from "../proxy.ts";
import { installed } from "../proxies/installed.ts";
import { freePort } from "../start.ts";

/** A server of the run's own, which keeps nothing on disk. Resolves with its address. */
export async function startValkey(children: Bench["children"], folder: string): Promise<string> {
  const port = await freePort();
  const settings = { port, bind: "127.0.0.1", dir: folder, save: "", appendonly: "no", loglevel: "warning" };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  children.spawn(valkeyProgram(), options, { stdio: "ignore" });
  // The store waits for a server that is starting; a moment spares it a warning.
  await delay(200);
  return `redis://127.0.0.1:${port}`;
}

function valkeyProgram(): string {
  try {
    return installed("valkey-server");
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return installed("redis-server");
  }
}
