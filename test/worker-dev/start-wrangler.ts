import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RunningWrangler {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** All that it printed. */
  readonly output: () => string;
  stop(): Promise<void>;
}

const project = join(import.meta.dirname, "../..");

/** `wrangler dev` as the README has it, with an empty state of its own. `variables` are added to `wrangler.toml`'s. */
export async function startWrangler(variables: Readonly<Record<string, string>> = {}): Promise<RunningWrangler> {
  const state = mkdtempSync(join(tmpdir(), "strait-wrangler-"));
  const port = await freePort();
  const added = Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const child = spawn(
    process.execPath,
    [
      "node_modules/wrangler/bin/wrangler.js",
      "dev",
      "--port",
      String(port),
      "--inspector-port",
      "0",
      "--persist-to",
      state,
      "--show-interactive-dev-session=false",
      ...added,
    ],
    {
      cwd: project,
      // Its own group, because wrangler starts workerd and esbuild and need not live to stop them.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", CI: "true", NO_COLOR: "1" },
    },
  );
  let printed = "";
  const keep = (piece: Buffer): void => void (printed += piece.toString());
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = once(child, "exit");

  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.pid !== undefined) {
      process.kill(-child.pid, "SIGTERM");
      const late = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), 5_000);
      await exited;
      clearTimeout(late);
    }
    rmSync(state, { recursive: true, force: true });
  };

  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) break;
    if (await answers(url)) return { url, output: () => printed, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`wrangler dev did not start:\n${printed}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
