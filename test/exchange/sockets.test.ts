import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { createEdge } from "../../src/runtime/node/edge.ts";
import { NodeTransport } from "../../src/runtime/node/transport.ts";
import { catalogueOf, deployment } from "../support/catalogue.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import { Gate, place, settings } from "./gate.ts";
import { localConnection } from "../support/local-connection.ts";

const closing: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<number> {
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** The gateway between real sockets on both sides. */
async function serve(
  upstream: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly gate: Gate; readonly port: number }> {
  const upstreamPort = await listen(createServer(upstream));
  const transport = new NodeTransport({ connections: 8, connectMs: 1_000, countryOf: () => ({ unknown: "not asked" }) });
  closing.push(() => transport.close());
  const gate = await Gate.open({
    catalogue: catalogueOf([
      deployment("aaa", { region: { ...place, endpoint: `http://127.0.0.1:${upstreamPort}`, connection: localConnection } }),
    ]),
    ports: {
      transport,
      clock: systemClock,
      settings: { ...settings, deadlines: { ...settings.deadlines, idleMs: 20_000, totalMs: 20_000 } },
    },
  });
  closing.push(() => gate.close());
  const port = await listen(createEdge((inbound, outbound) => void gate.gateway.handle(inbound, outbound)));
  return { gate, port };
}

function ask(
  port: number,
  key: string,
  body: unknown = { model: "gpt-test", stream: true, messages: [{ role: "user", content: "hi" }] },
): { readonly socket: Socket; readonly text: () => string; readonly bytes: () => number } {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let bytes = 0;
  socket.on("data", (piece) => {
    bytes += piece.length;
    if (text.length < 50_000) text += piece.toString("latin1");
  });
  socket.on("error", () => {});
  closing.push(() => void socket.destroy());
  const content = JSON.stringify(body);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`,
  );
  return { socket, text: () => text, bytes: () => bytes };
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });
const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const word = sse([{ id: "chatcmpl-1", model: "m", choices: [{ index: 0, delta: { content: "x".repeat(16_000) } }] }]);

describe("the gateway between real sockets", () => {
  it("lets a slow client slow the upstream, and gathers nothing in between", async () => {
    let accepted = 0;
    const talk = new AbortController();
    const { gate, port } = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const pump = (): void => {
        while (!talk.signal.aborted) {
          accepted += word.length;
          if (!response.write(word)) return void response.once("drain", pump);
        }
        response.end(sse(openaiChat.slice(-3)));
      };
      pump();
    });
    const client = ask(port, gate.key);
    await until(() => client.bytes() > 100_000);
    client.socket.pause();
    // What fits into the kernel's buffers on the way goes on for a moment; then nothing does, for half a second on end.
    let still = 0;
    for (let wait = 0; wait < 150 && still < 10; wait++) {
      const before = accepted;
      await quiet(50);
      still = accepted === before ? still + 1 : 0;
    }
    expect(still).toBe(10);
    expect(accepted - client.bytes()).toBeLessThan(24_000_000);
    talk.abort();
    client.socket.resume();
    await until(() => gate.closed.length === 1);
    expect(gate.closed[0]?.receipt).toMatchObject({ end: "completed", chargedTokens: 30 });
    // All of it came: chunk framing makes it a little more.
    await until(() => client.bytes() > accepted);
  }, 20_000);

  it("ends the upstream's connection when the client hangs up in mid-stream, and settles what was seen", async () => {
    let closed = false;
    const { gate, port } = await serve((request, response) => {
      request.socket.on("close", () => (closed = true));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(sse(openaiChat.slice(0, 3)));
    });
    const client = ask(port, gate.key);
    await until(() => client.text().includes("Uhu"));
    client.socket.destroy();
    await until(() => closed);
    await until(() => gate.closed.length === 1);
    expect(gate.closed[0]?.receipt).toMatchObject({ end: "client_cancelled", usageSource: "estimated" });
    expect(gate.open.count).toBe(0);
  });

  it("ends the upstream's connection when the client leaves before the head", async () => {
    let arrived = false;
    let closed = false;
    const { gate, port } = await serve((request) => {
      arrived = true;
      request.socket.on("close", () => (closed = true));
    });
    const client = ask(port, gate.key);
    await until(() => arrived);
    client.socket.destroy();
    await until(() => closed);
    await until(() => gate.closed.length === 1);
    expect(gate.closed[0]?.receipt).toMatchObject({ end: "client_cancelled", status: undefined });
  });

  it("tells a client of an upstream that is reset in mid-stream, in a stream that ends in good order", async () => {
    const { gate, port } = await serve((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`${sse(openaiChat.slice(0, 2))}data: {"half`);
      setTimeout(() => request.socket.resetAndDestroy(), 30);
    });
    const client = ask(port, gate.key);
    await until(() => client.text().endsWith("0\r\n\r\n"));
    expect(client.text()).toContain("upstream_cut_off");
    expect(client.text()).not.toContain("half");
    expect(gate.closed[0]?.receipt).toMatchObject({ end: "upstream_failed" });
  });

  it("keeps one connection for many requests on both sides", async () => {
    const sockets = new Set<Socket>();
    const { gate, port } = await serve((request, response) => {
      sockets.add(request.socket);
      request.resume();
      response.setHeader("content-type", "application/json");
      response.end('{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}');
    });
    const body = JSON.stringify({ model: "gpt-test", messages: [{ role: "user", content: "hi" }] });
    const wire = `POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${gate.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const client = ask(port, gate.key, JSON.parse(body));
    for (let round = 1; round <= 5; round++) {
      await until(() => client.text().split("HTTP/1.1 200 OK").length - 1 === round);
      await until(() => gate.closed.length === round);
      if (round < 5) client.socket.write(wire);
    }
    expect(sockets.size).toBe(1);
  });
});
