import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { headerValue, type HeaderList } from "../../src/edge.ts";
import { NodeTransport } from "../../src/runtime/node/transport.ts";
import type { TransportFailure, UpstreamCall, UpstreamRequest } from "../../src/upstream/transport.ts";
import { localConnection } from "../support/local-connection.ts";

const closing: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function upstream(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
}

async function tcp(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    handle(socket);
  });
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return listen(server);
}

interface Heard {
  readonly events: string[];
  status: number | undefined;
  headers: HeaderList;
  bytes: number;
  text: string;
  failure: TransportFailure | undefined;
  readonly call: UpstreamCall;
  /** Resolves with the end or the failure. */
  readonly over: Promise<void>;
  until(condition: () => boolean): Promise<void>;
}

function transport(connections = 4): NodeTransport {
  const made = new NodeTransport({ connections, connectMs: 2_000, countryOf: () => ({ unknown: "not asked" }) });
  closing.push(() => made.close());
  return made;
}

function send(
  origin: string,
  parts: Partial<UpstreamRequest> = {},
  through: NodeTransport = transport(),
  onHead?: () => void,
): Heard {
  let finish: () => void = () => {};
  const over = new Promise<void>((resolve) => (finish = resolve));
  const heard = {
    events: [] as string[],
    status: undefined as number | undefined,
    headers: [] as HeaderList,
    bytes: 0,
    text: "",
    failure: undefined as TransportFailure | undefined,
  };
  const call = through.send(
    {
      method: "POST",
      origin,
      path: "/v1/chat/completions",
      headers: ["content-type", "application/json"],
      body: new TextEncoder().encode("{}"),
      connection: localConnection,
      ...parts,
    },
    {
      connected: () => heard.events.push("connected"),
      head(status, headers) {
        heard.events.push("head");
        heard.status = status;
        heard.headers = headers;
        onHead?.();
      },
      data(bytes) {
        if (heard.events.at(-1) !== "data") heard.events.push("data");
        heard.bytes += bytes.length;
        if (heard.text.length < 100_000) heard.text += new TextDecoder().decode(bytes);
      },
      end() {
        heard.events.push("end");
        finish();
      },
      fail(error) {
        heard.events.push("fail");
        heard.failure = error;
        finish();
      },
    },
  );
  return Object.assign(heard, {
    call,
    over,
    until: (condition: () => boolean) => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5_000, interval: 5 }),
  });
}

const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("NodeTransport", () => {
  it("sends what it was given and nothing of its own, and hears connection, head, data and end in order", async () => {
    let seen: { url: string | undefined; method: string | undefined; names: string[]; body: string } | undefined;
    const origin = await upstream((request, response) => {
      let body = "";
      request.on("data", (piece: Buffer) => (body += piece.toString()));
      request.on("end", () => {
        seen = { url: request.url, method: request.method, names: Object.keys(request.headers).sort(), body };
        response.writeHead(200, { "Content-Type": "text/plain", "X-Ms-Region": "Sweden Central" });
        response.write("he");
        response.end("llo");
      });
    });
    const heard = send(origin, { path: "/a?b=c", body: new TextEncoder().encode('{"x":"ü"}') });
    await heard.over;
    expect(seen).toEqual({
      url: "/a?b=c",
      method: "POST",
      names: ["connection", "content-length", "content-type", "host"],
      body: '{"x":"ü"}',
    });
    expect(heard.events).toEqual(["connected", "head", "data", "end"]);
    expect(heard.status).toBe(200);
    expect(headerValue(heard.headers, "x-ms-region")).toBe("Sweden Central");
    expect(heard.text).toBe("hello");
  });

  it("follows no redirect", async () => {
    let requests = 0;
    const origin = await upstream((_request, response) => {
      requests++;
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    const heard = send(origin);
    await heard.over;
    expect(heard.status).toBe(307);
    expect(requests).toBe(1);
  });

  it("takes no proxy from the environment", async () => {
    let proxied = 0;
    const proxy = await upstream((_request, response) => {
      proxied++;
      response.end();
    });
    for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
      vi.stubEnv(name, proxy);
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    const origin = await upstream((_request, response) => response.end("direct"));
    const heard = send(origin);
    await heard.over;
    expect(heard.text).toBe("direct");
    expect(proxied).toBe(0);
  });

  it("says that nobody was reached where the connection is refused", async () => {
    const origin = await tcp(() => {});
    await closing.pop()?.();
    const heard = send(origin);
    await heard.over;
    expect(heard.events).toEqual(["fail"]);
    expect(heard.failure?.phase).toBe("connect");
    expect(heard.failure?.message).toContain("ECONNREFUSED");
  });

  it("says so, once, of an origin that is none", async () => {
    const heard = send("ftp://nowhere.test");
    await heard.over;
    await quiet(10);
    expect(heard.events).toEqual(["fail"]);
    expect(heard.failure?.phase).toBe("connect");
  });

  it.each([
    ["before the head", (socket: Socket) => socket.resetAndDestroy(), ["connected", "fail"]],
    [
      "within the body",
      (socket: Socket) =>
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", () => setTimeout(() => socket.resetAndDestroy(), 20)),
      ["connected", "head", "data", "fail"],
    ],
    [
      "by an early end within a chunked body",
      (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
      ["connected", "head", "data", "fail"],
    ],
    ["by an answer that is no HTTP", (socket: Socket) => socket.end("SMTP 220 hello\r\n\r\n"), ["connected", "fail"]],
  ] as const)("hears a connection that breaks %s as a failure of the answer, once", async (_name, play, events) => {
    const origin = await tcp((socket) => socket.once("data", () => play(socket)));
    const heard = send(origin);
    await heard.over;
    await quiet(10);
    expect(heard.events).toEqual(events);
    expect(heard.failure?.phase).toBe("response");
  });

  it("passes over interim answers", async () => {
    const origin = await tcp((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    );
    const heard = send(origin);
    await heard.over;
    expect(heard.events).toEqual(["connected", "head", "data", "end"]);
    expect(heard.status).toBe(200);
  });

  it("stops the upstream's socket while it is paused, and goes on when it is resumed", async () => {
    let accepted = 0;
    let stalled = false;
    const total = 64 * 1024 * 1024;
    const piece = Buffer.alloc(256 * 1024, "x");
    const origin = await upstream((_request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      const pump = (): void => {
        while (accepted < total) {
          accepted += piece.length;
          if (!response.write(piece)) {
            stalled = true;
            return void response.once("drain", pump);
          }
        }
        response.end();
      };
      pump();
    });
    const heard = send(origin);
    await heard.until(() => heard.bytes > 0);
    heard.call.pause();
    const heldBefore = heard.bytes;
    // The kernel's buffers fill up, and then the upstream waits, for half a second on end.
    let still = 0;
    for (let wait = 0; wait < 60 && still < 10; wait++) {
      const before = accepted;
      await quiet(50);
      still = accepted === before ? still + 1 : 0;
    }
    expect(still).toBe(10);
    // A piece that had been read before may still come.
    expect(heard.bytes - heldBefore).toBeLessThanOrEqual(128 * 1024);
    expect(stalled).toBe(true);
    expect(accepted).toBeLessThan(total / 2);
    heard.call.resume();
    await heard.over;
    expect(heard.bytes).toBe(total);
  });

  it.each(["before the head", "within the body", "while paused"] as const)(
    "ends the connection when it is aborted %s, and says nothing more",
    async (when) => {
      let closed = false;
      let arrived = false;
      const origin = await upstream((request, response) => {
        arrived = true;
        request.socket.on("close", () => (closed = true));
        if (when !== "before the head") response.writeHead(200).write("first");
      });
      const heard = send(origin);
      await heard.until(() => arrived && (when === "before the head" || heard.bytes > 0));
      if (when === "while paused") heard.call.pause();
      const before = [...heard.events];
      heard.call.abort();
      heard.call.abort();
      heard.call.resume();
      await heard.until(() => closed);
      await quiet(10);
      expect(heard.events).toEqual(before);
    },
  );

  it("never sends a request that was aborted while it waited for a connection", async () => {
    const paths: (string | undefined)[] = [];
    const origin = await upstream((request, response) => {
      paths.push(request.url);
      setTimeout(() => response.end("ok"), 30);
    });
    const through = transport(1);
    const first = send(origin, { path: "/first" }, through);
    const second = send(origin, { path: "/second" }, through);
    const third = send(origin, { path: "/third" }, through);
    second.call.abort();
    await Promise.all([first.over, third.over]);
    expect(paths).toEqual(["/first", "/third"]);
    expect(second.events).toEqual([]);
  });

  it("keeps the connection of an answer that it discards, where little is left of it", async () => {
    const sockets = new Set<Socket>();
    const origin = await upstream((request, response) => {
      sockets.add(request.socket);
      response.writeHead(429, { "retry-after": "1" });
      response.write("x".repeat(1_000));
      setTimeout(() => response.end("rest"), 10);
    });
    const through = transport(1);
    for (let round = 0; round < 3; round++) {
      const heard = send(origin, {}, through);
      await heard.until(() => heard.status === 429);
      heard.call.discard();
      const before = heard.events.length;
      await quiet(40);
      expect(heard.events.length).toBe(before);
    }
    expect(sockets.size).toBe(1);
  });

  it.each(["much", "slow"] as const)("gives the connection up where what is left to discard is too %s", async (kind) => {
    let closed = false;
    const origin = await upstream((request, response) => {
      request.socket.on("close", () => (closed = true));
      response.writeHead(500).write("x");
      if (kind === "much") response.write("y".repeat(1024 * 1024));
    });
    const heard = send(origin, {}, transport(), () => heard.call.discard());
    await heard.until(() => closed);
    expect(heard.events).toEqual(["connected", "head"]);
  });
});
