import { controlPath } from "../../control/route-parts.ts";
import { assemble, type Assembly } from "./assemble.ts";
import { isLoopback, NotConfigured } from "./config.ts";
import { createEdge } from "./edge.ts";
import { log } from "./log.ts";

export { DirectoryObject } from "./directory-object.ts";
export { ShardObject } from "./shard-object.ts";
export { SimulatedRegion } from "./simulated-region.ts";
export { TenantObject } from "./tenant-object.ts";

let assembled: Assembly | undefined;

const handler: ExportedHandler<Cloudflare.Env> = {
  async fetch(request, bindings, context) {
    try {
      // Each of several first requests puts its own together: a promise shared between requests dies with the first one.
      assembled ??= await assemble(bindings, request);
    } catch (error) {
      return notStarted(error);
    }
    return answer(request, assembled, context);
  },
};

export default handler;

async function answer(
  request: Request,
  { application, telemetry, config }: Assembly,
  context: ExecutionContext,
): Promise<Response> {
  const { inbound, outbound, response } = createEdge(request);
  const handled = application.gateway.handle(inbound, outbound);
  if (handled !== undefined) {
    // Settling outlives the client, and the spans end after it.
    context.waitUntil(handled.then(() => telemetry.flush()));
    // Cut before its head was sent: its client has left, and nobody reads what is said here.
    return response.catch(() => problem(500, "The answer was cut off", "The connection ended before the answer began."));
  }
  if (inbound.path === controlPath || inbound.path.startsWith(`${controlPath}/`)) {
    const served = config.operatorKey !== undefined || (config.demo && isLoopback(new URL(request.url)));
    return served ? application.control.fetch(request) : controlNotServed();
  }
  application.gateway.refuse({ kind: "route_not_found" }, inbound, outbound);
  return response;
}

function controlNotServed(): Response {
  return problem(
    503,
    "The operators' API is not served",
    "Set the secret STRAIT_OPERATOR_KEY first: npx wrangler secret put STRAIT_OPERATOR_KEY",
  );
}

function notStarted(error: unknown): Response {
  log.error("the gateway could not start", { error: error instanceof Error ? error.message : String(error) });
  const detail = error instanceof NotConfigured ? error.message : "Its log says why.";
  return problem(500, "The gateway could not start", detail);
}

function problem(status: number, title: string, detail: string): Response {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify({ title, status, detail }), { status, headers });
}
