import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { readOrder } from "./wire.ts";
import type { StreamOrder } from "./wire.ts";

/**
 * The model that every proxy forwards to: one fixed answer, made once, so that what is measured is the proxy. Any path
 * that ends in `/chat/completions` will do, which takes in OpenAI's form and both of Azure's. Reports its port to its
 * parent and ends when that goes away.
 */
const model = "bench-model";
const stamp = `"created":1795000000,"model":"${model}","system_fingerprint":"fp_bench000001"`;
const usage = `{"prompt_tokens":212,"completion_tokens":58,"total_tokens":270,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}`;
const content = "Ships pass one at a time, and the pilot knows each of them by name. ".repeat(3).slice(0, 150);
const answer = Buffer.from(
  `{"id":"chatcmpl-bench0000000000000001","object":"chat.completion",${stamp},"service_tier":"default","choices":[{"index":0,"message":` +
    `{"role":"assistant","content":"${content}","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":${usage}}`,
);
const answerHeaders = [
  "content-type",
  "application/json",
  "content-length",
  String(answer.length),
  "x-request-id",
  "bench-1",
  "x-ms-region",
  "Bench",
];
const streamHeaders = ["content-type", "text/event-stream", "x-request-id", "bench-1", "x-ms-region", "Bench"];

function event(choices: string, usageText: string): string {
  return `data: {"id":"chatcmpl-bench0000000000000001","object":"chat.completion.chunk",${stamp},"choices":${choices},"usage":${usageText}}\n\n`;
}

const first = event(`[{"index":0,"delta":{"role":"assistant","content":"Ships"},"logprobs":null,"finish_reason":null}]`, "null");
const next = event(`[{"index":0,"delta":{"content":" pass"},"logprobs":null,"finish_reason":null}]`, "null");
const stop = event(`[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]`, "null");
const usageEvent = event("[]", usage);
const done = "data: [DONE]\n\n";

function stream(response: ServerResponse, order: StreamOrder, last: string): void {
  response.writeHead(200, streamHeaders);
  response.write(first);
  if (order.idle) return;
  let left = order.events - 1;
  if (order.intervalMs > 0) {
    const timer = setInterval(() => {
      if (left-- > 0) return void response.write(next);
      clearInterval(timer);
      response.end(last);
    }, order.intervalMs);
    response.once("close", () => clearInterval(timer));
    return;
  }
  const fill = (): void => {
    while (left-- > 0) if (!response.write(next)) return void response.once("drain", fill);
    response.end(last);
  };
  fill();
}

function answerTo(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    if (request.url?.split("?", 1)[0]?.endsWith("/chat/completions") !== true) return void response.writeHead(404).end();
    const body = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    const order = body?.includes("bench-stream") === true ? readOrder(body.toString()) : undefined;
    if (order === undefined) return void response.writeHead(200, answerHeaders).end(answer);
    stream(response, order, stop + (body?.includes(`"include_usage":true`) === true ? usageEvent : "") + done);
  });
}

const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, answerTo);
server.listen(0, "127.0.0.1", 4096, () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.once("disconnect", () => process.exit(0));
