import type { Proxy } from "../proxy.ts";
import { reportedOrigin } from "../start.ts";

/** `node:http` and undici with nothing between them: the floor that the gateway is measured from. */
export const bare: Proxy = {
  name: "bare",
  runsOnNode: true,
  async start({ children, upstreamOrigin, nodeArguments }) {
    const child = children.fork(new URL("bare-server.ts", import.meta.url), [upstreamOrigin], { execArgv: [...nodeArguments] });
    const origin = await reportedOrigin(child);
    const target = { origin, path: "/v1/chat/completions", headers: [], keys: ["bench"], model: "bench-model" };
    return { pid: child.pid ?? 0, target, stop: () => children.stop(child) };
  },
};
