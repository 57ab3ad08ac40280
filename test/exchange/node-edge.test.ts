import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { BodyRead } from "../../src/edge.ts";
import { createEdge, type Handler, type NodeInbound, type NodeOutbound } from "../../src/runtime/node/edge.ts";

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0).toReversed()) close();
});

interface Edge {
  readonly port: number;
  readonly server: Server;
}

async function edge(handle: Handler): Promise<Edge> {
  const server = createEdge(handle);
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  readonly errors: string[];
  until(condition: () => boolean): Promise<void>;
}

function client(port: number): Client {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  const errors: string[] = [];
  socket.on("data", (piece) => (text += piece.toString("latin1")));
  socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  closing.push(() => socket.destroy());
  return { socket, text: () => text, errors, until };
}

function until(condition: () => boolean): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout: 4_000, interval: 5 });
}

const post = (headers: string): string => `POST /v1/x?a=1&b HTTP/1.1\r\nHost: h\r\n${headers}\r\n`;
const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function within(tries: number, condition: () => boolean): Promise<boolean> {
  for (let wait = 0; wait < tries && !condition(); wait++) await quiet(1);
  return condition();
}

/** Reads the body with a limit and says what it read. */
function reading(limitBytes: number, reads: BodyRead[]): Handler {
  const read = async (inbound: NodeInbound, outbound: NodeOutbound): Promise<void> => {
    const body = await inbound.body(limitBytes);
    reads.push(body);
    const text = body.ok ? new TextDecoder().decode(body.bytes) : body.reason;
    outbound.head(body.ok ? 200 : body.reason === "too_large" ? 413 : 400, [
      "content-type",
      "text/plain",
      "content-length",
      String(text.length),
    ]);
    outbound.end(new TextEncoder().encode(text));
  };
  return (inbound, outbound) => void read(inbound, outbound);
}

describe("what the Node edge hands to the core", () => {
  it("path, query, method and headers as the client sent them, repeated ones joined", async () => {
    const seen: unknown[] = [];
    const { port } = await edge((inbound, outbound) => {
      seen.push([inbound.method, inbound.path, inbound.query, inbound.header("x-many"), inbound.header("none")]);
      outbound.head(200, []);
      outbound.end();
    });
    const { socket, text } = client(port);
    socket.write("DELETE /v1/r%20s?x=%3F&y=? HTTP/1.1\r\nHost: h\r\nX-Many: 1\r\nx-many: 2\r\n\r\n");
    await until(() => text().includes("200"));
    expect(seen).toEqual([["DELETE", "/v1/r%20s", "x=%3F&y=?", "1, 2", undefined]]);
  });

  it.each([
    ["with a content-length", `${post("Content-Length: 11\r\n")}hello world`, "hello world"],
    ["in chunks", `${post("Transfer-Encoding: chunked\r\n")}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`, "hello world"],
    ["empty", post("Content-Length: 0\r\n"), ""],
    ["not at all", post(""), ""],
  ])("the whole body, sent %s", async (_name, wire, expected) => {
    const reads: BodyRead[] = [];
    const { port } = await edge(reading(11, reads));
    const { socket, text } = client(port);
    socket.write(wire);
    await until(() => text().includes("200 OK"));
    expect(reads[0]?.ok && new TextDecoder().decode(reads[0].bytes)).toBe(expected);
  });

  it("refuses a body by its content-length without reading any of it", async () => {
    const reads: BodyRead[] = [];
    const { port } = await edge(reading(10, reads));
    const { socket, text } = client(port);
    socket.write(post("Content-Length: 11\r\n"));
    await until(() => text().includes("413"));
    expect(reads).toEqual([{ ok: false, reason: "too_large" }]);
    expect(text().toLowerCase()).toContain("connection: close");
  });

  it("stops reading a chunked body at the limit, however much is still to come", async () => {
    const reads: BodyRead[] = [];
    const { port } = await edge(reading(10, reads));
    const { socket, text } = client(port);
    socket.write(`${post("Transfer-Encoding: chunked\r\n")}a\r\n0123456789\r\n`);
    await quiet(30);
    expect(reads).toEqual([]);
    socket.write("1\r\nx\r\n");
    await until(() => text().includes("413"));
    expect(reads).toEqual([{ ok: false, reason: "too_large" }]);
  });

  it("lets a client that is still sending read why its body was refused", async () => {
    const reads: BodyRead[] = [];
    const { port } = await edge(reading(1_000, reads));
    for (const headers of [{ "content-length": 20_000_000 }, { "transfer-encoding": "chunked" }] as Record<
      string,
      string | number
    >[]) {
      const sending = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/v1/x", headers });
      sending.on("error", () => {});
      const answered = once(sending, "response") as Promise<[IncomingMessage]>;
      const piece = Buffer.alloc(100_000, "x");
      let sent = 0;
      const send = (): void => {
        while (sent < 20_000_000 && !sending.destroyed) {
          sent += piece.length;
          if (!sending.write(piece)) return void sending.once("drain", send);
        }
        sending.end();
      };
      send();
      const [response] = await answered;
      let body = "";
      for await (const part of response) body += String(part);
      expect(response.statusCode).toBe(413);
      expect(body).toBe("too_large");
    }
    expect(reads).toHaveLength(2);
  });

  it("breaks the connection of a client off that never stops sending", async () => {
    const { port } = await edge(reading(10, []));
    const { socket, text } = client(port);
    socket.write(post("Transfer-Encoding: chunked\r\n"));
    let closed = false;
    socket.on("close", () => (closed = true));
    const sending = setInterval(() => socket.writable && socket.write(`400\r\n${"x".repeat(1_024)}\r\n`), 5);
    closing.push(() => clearInterval(sending));
    await until(() => text().includes("413"));
    await until(() => closed);
  });

  it("says that a body was cut off where the client leaves within it", async () => {
    const reads: BodyRead[] = [];
    const { port } = await edge(reading(100, reads));
    const { socket } = client(port);
    socket.write(`${post("Content-Length: 50\r\n")}half`);
    await quiet(30);
    socket.destroy();
    await until(() => reads.length === 1);
    expect(reads).toEqual([{ ok: false, reason: "cut_off" }]);
  });

  it("says so as well where the client had left before the body was asked for", async () => {
    const reads: BodyRead[] = [];
    let hungUp: NodeInbound | undefined;
    const { port } = await edge((inbound) => inbound.onHangUp(() => (hungUp = inbound)));
    const { socket } = client(port);
    socket.write(`${post("Content-Length: 50\r\n")}half`);
    await quiet(30);
    socket.destroy();
    await until(() => hungUp !== undefined);
    await quiet(30);
    void hungUp?.body(100).then((read) => reads.push(read));
    await until(() => reads.length === 1);
    expect(reads).toEqual([{ ok: false, reason: "cut_off" }]);
  });

  it("asks a client that waits for 100 Continue for its body only once the body is wanted", async () => {
    let ask: (() => void) | undefined;
    const reads: BodyRead[] = [];
    const { port } = await edge((inbound, outbound) => {
      ask = () => reading(100, reads)(inbound, outbound);
    });
    const { socket, text } = client(port);
    socket.write(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    await until(() => ask !== undefined);
    await quiet(30);
    expect(text()).toBe("");
    ask?.();
    await until(() => text().includes("100 Continue"));
    socket.write("hello");
    await until(() => text().includes("200 OK"));
    expect(reads[0]).toMatchObject({ ok: true });
  });

  it("never asks for a body that is refused", async () => {
    const { port } = await edge(reading(4, []));
    const { socket, text } = client(port);
    socket.write(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    await until(() => text().includes("413"));
    expect(text()).not.toContain("100 Continue");
  });
});

describe("what the core writes through the Node edge", () => {
  async function connected(): Promise<{
    readonly inbound: NodeInbound;
    readonly outbound: NodeOutbound;
    readonly client: Client;
    readonly hangUps: () => number;
  }> {
    let pair: [NodeInbound, NodeOutbound] | undefined;
    let hangUps = 0;
    const { port } = await edge((inbound, outbound) => {
      inbound.onHangUp(() => hangUps++);
      pair = [inbound, outbound];
    });
    const made = client(port);
    made.socket.write(post("Content-Length: 0\r\n"));
    await until(() => pair !== undefined);
    const [inbound, outbound] = pair as [NodeInbound, NodeOutbound];
    return { inbound, outbound, client: made, hangUps: () => hangUps };
  }

  it("is told when a client reads slower than it is written to, holds no more than a piece meanwhile, and hears of it catching up", async () => {
    const { outbound, client: slow } = await connected();
    slow.socket.pause();
    outbound.head(200, ["content-type", "application/octet-stream"]);
    let drained = 0;
    outbound.onDrain(() => drained++);
    const piece = new Uint8Array(64 * 1024).fill(120);
    let written = 0;
    let blocked = false;
    while (!blocked && written < 1_000 * piece.length) {
      const before = drained;
      if (!outbound.write(piece)) blocked = !(await within(100, () => drained > before));
      written += piece.length;
    }
    // The kernel's buffers took some; then it is the client's turn.
    expect(blocked).toBe(true);
    const before = drained;
    await quiet(50);
    expect(drained).toBe(before);
    slow.socket.resume();
    await until(() => drained > before);
    outbound.end();
    await until(() => slow.text().endsWith("0\r\n\r\n"));
  });

  it("hears once of a client that hangs up, and writing on does no harm", async () => {
    const { outbound, client: leaving, hangUps } = await connected();
    outbound.head(200, []);
    outbound.write(new TextEncoder().encode("first"));
    await until(() => leaving.text().includes("first"));
    leaving.socket.destroy();
    await until(() => hangUps() === 1);
    outbound.write(new Uint8Array(10));
    outbound.end(new Uint8Array(10));
    outbound.cut();
    await quiet(20);
    expect(hangUps()).toBe(1);
  });

  it("hears of no hang-up once the answer has ended in good order", async () => {
    const { outbound, client: done, hangUps } = await connected();
    outbound.head(200, []);
    outbound.end(new TextEncoder().encode("all"));
    await until(() => done.text().includes("all"));
    done.socket.destroy();
    await quiet(30);
    expect(hangUps()).toBe(0);
  });

  it("cuts so that the client cannot take what it has for the whole", async () => {
    const { outbound, client: cut } = await connected();
    outbound.head(200, []);
    outbound.write(new TextEncoder().encode("half"));
    await until(() => cut.text().includes("half"));
    const closed = once(cut.socket, "close");
    outbound.cut();
    await closed;
    // The chunked body lacks its last chunk.
    expect(cut.text()).not.toContain("\r\n0\r\n\r\n");
  });

  it.each([0, 10, 100_000])("ends with a last piece of %i bytes, byte for byte", async (length) => {
    const { outbound, client: done } = await connected();
    const last = Uint8Array.from({ length }, (_, index) => index % 256);
    outbound.head(200, ["content-length", String(length)]);
    outbound.end(last);
    await until(() => done.text().split("\r\n\r\n")[0] !== undefined && done.text().length >= length);
    await quiet(20);
    const text = done.text();
    expect(text.slice(text.indexOf("\r\n\r\n") + 4)).toBe(Buffer.from(last).toString("latin1"));
  });
});
