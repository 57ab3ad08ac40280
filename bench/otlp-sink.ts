import { createServer } from "node:http";

/** Takes spans and forgets them, so that the gateway exports for real. Reports its port to its parent and ends with it. */
const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": "0" }).end());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.once("disconnect", () => process.exit(0));
