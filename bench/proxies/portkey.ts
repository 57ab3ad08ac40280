import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Children } from "../children.ts";
import { Unavailable } from "../proxy.ts";
import type { Proxy } from "../proxy.ts";
import { freePort, outputTail, untilAnswering } from "../start.ts";

const version = "1.15.2";
const installMs = 180_000;

/** The gateway nearest in kind. It is fetched when it is needed and kept outside the repository: it must not become a dependency. */
export const portkey: Proxy = {
  name: "portkey",
  runsOnNode: true,
  async start({ children, upstreamOrigin, nodeArguments }) {
    const server = await fetched(children);
    const port = await freePort();
    const child = children.spawn(process.execPath, [...nodeArguments, server, `--port=${port}`, "--headless"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    const headers = ["x-portkey-provider", "openai", "x-portkey-custom-host", `${upstreamOrigin}/v1`];
    const target = {
      origin: `http://127.0.0.1:${port}`,
      path: "/v1/chat/completions",
      headers,
      keys: ["bench"],
      model: "bench-model",
    };
    await untilAnswering("portkey", child, target);
    return { pid: child.pid ?? 0, target, stop: () => children.stop(child) };
  },
};

async function fetched(children: Children): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "strait-bench");
  const home = join(cache, `portkey-${version}`);
  const server = join(home, "node_modules/@portkey-ai/gateway/build/start-server.js");
  if (existsSync(server)) return server;
  // Installed aside and moved when whole, so that an interrupted fetch is never taken for a finished one.
  const partial = join(cache, `partial-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  try {
    await install(children, partial);
    rmSync(home, { recursive: true, force: true });
    renameSync(partial, home);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return server;
}

function install(children: Children, directory: string): Promise<void> {
  const npmArguments = [
    "install",
    "--prefix",
    directory,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    `@portkey-ai/gateway@${version}`,
  ];
  const npm = process.env["npm_execpath"];
  const options = { cwd: directory, stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"] };
  const child =
    npm === undefined
      ? children.spawn("npm", npmArguments, options)
      : children.spawn(process.execPath, [npm, ...npmArguments], options);
  const tail = outputTail(child);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => child.kill("SIGKILL"), installMs);
    const failed = (why: string): void => reject(new Unavailable(`@portkey-ai/gateway could not be fetched: ${why}`));
    child.once("error", (error) => failed(error.message));
    child.once("exit", (code) => {
      clearTimeout(late);
      if (code === 0) resolve();
      else failed(/^npm error code (\S+)/m.exec(tail())?.[1] ?? `npm ended with ${code}`);
    });
  });
}
