import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Proxy } from "../proxy.ts";
import { freePort, untilAnswering } from "../start.ts";
import { installed } from "./installed.ts";

const configuration = (port: number, upstream: string): string => `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend in
  bind 127.0.0.1:${port} backlog 4096
  default_backend out
backend out
  http-reuse always
  server upstream ${upstream}
`;

/** One thread of HAProxy: what proxying costs when nothing is in JavaScript. */
export const haproxy: Proxy = {
  name: "haproxy",
  runsOnNode: false,
  async start({ children, upstreamOrigin, scratch }) {
    const command = installed("haproxy");
    const port = await freePort();
    const file = join(scratch, "haproxy.cfg");
    writeFileSync(file, configuration(port, new URL(upstreamOrigin).host));
    // -db: one process in the foreground, the one whose CPU time is read.
    const child = children.spawn(command, ["-db", "-f", file], { stdio: ["ignore", "pipe", "pipe"] });
    const target = {
      origin: `http://127.0.0.1:${port}`,
      path: "/v1/chat/completions",
      headers: [],
      keys: ["bench"],
      model: "bench-model",
    };
    await untilAnswering("haproxy", child, target);
    return { pid: child.pid ?? 0, target, stop: () => children.stop(child) };
  },
};
