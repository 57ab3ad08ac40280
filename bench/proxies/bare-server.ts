import { createServer } from "node:http";
import { Pool } from "undici";

/**
 * The least that a proxy on Node can do: bytes in, bytes out, over kept connections. Nothing is read, checked or
 * counted, so whatever a gateway costs beyond this is what it does. Reports its port to its parent and ends with it.
 */
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "host", "expect", "upgrade", "te", "trailer"]);
const upstream = new Pool(process.argv[2] ?? "", {
  connections: null,
  bodyTimeout: 0,
  headersTimeout: 0,
  keepAliveTimeout: 600_000,
});

const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
  const headers: string[] = [];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? "";
    if (!hopByHop.has(name.toLowerCase())) headers.push(name, request.rawHeaders[index + 1] ?? "");
  }
  const abort = new AbortController();
  response.once("close", () => abort.abort());
  const call = { method: "POST" as const, path: request.url ?? "/", headers, body: request, signal: abort.signal };
  upstream
    .stream(call, ({ statusCode, headers: answered }) => {
      delete answered["connection"];
      delete answered["keep-alive"];
      delete answered["transfer-encoding"];
      return response.writeHead(statusCode, answered);
    })
    .catch(() => response.destroy());
});

server.listen(0, "127.0.0.1", 4096, () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.once("disconnect", () => process.exit(0));
