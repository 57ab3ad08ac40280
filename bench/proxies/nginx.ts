import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Proxy } from "../proxy.ts";
import { freePort, untilAnswering } from "../start.ts";
import { installed } from "./installed.ts";

const configuration = (port: number, upstream: string, scratch: string): string => `
daemon off;
master_process off;
worker_rlimit_nofile 20000;
pid ${scratch}/nginx.pid;
error_log stderr warn;
events { worker_connections 9000; }
http {
  access_log off;
  client_body_temp_path ${scratch}/body;
  proxy_temp_path ${scratch}/proxy;
  fastcgi_temp_path ${scratch}/fastcgi;
  uwsgi_temp_path ${scratch}/uwsgi;
  scgi_temp_path ${scratch}/scgi;
  keepalive_requests 1000000000;
  upstream model { server ${upstream}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`;

/** One worker of nginx, unbuffered as streams need it. */
export const nginx: Proxy = {
  name: "nginx",
  runsOnNode: false,
  async start({ children, upstreamOrigin, scratch }) {
    const command = installed("nginx");
    const port = await freePort();
    const file = join(scratch, "nginx.conf");
    writeFileSync(file, configuration(port, new URL(upstreamOrigin).host, scratch));
    const child = children.spawn(command, ["-e", "stderr", "-p", scratch, "-c", file], { stdio: ["ignore", "pipe", "pipe"] });
    const target = {
      origin: `http://127.0.0.1:${port}`,
      path: "/v1/chat/completions",
      headers: [],
      keys: ["bench"],
      model: "bench-model",
    };
    await untilAnswering("nginx", child, target);
    return { pid: child.pid ?? 0, target, stop: () => children.stop(child) };
  },
};
