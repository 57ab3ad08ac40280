import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { BodyRead, HeaderList, Inbound, Outbound } from "../../edge.ts";

/** Once a body was found too large, the client gets this long to read why before its connection is broken off. */
const partingMs = 2_000;

/** Up to here, copying a body costs less than a second buffer for the system call. */
const oneWriteBytes = 16 * 1024;

export type Handler = (inbound: NodeInbound, outbound: NodeOutbound) => void;

/** An HTTP server that hands each request to the core in its own form, and lets the core write straight to the socket. */
export function createEdge(handle: Handler): Server {
  const server = createServer({ keepAliveTimeout: 75_000, connectionsCheckingInterval: 5_000 });
  const accept = (request: IncomingMessage, response: ServerResponse, waits: boolean): void => {
    const inbound = new NodeInbound(request, response, waits);
    handle(inbound, new NodeOutbound(response, inbound));
  };
  server.on("request", (request, response) => accept(request, response, false));
  // Authenticated first: whoever may not send its body is told so instead of being asked for it.
  server.on("checkContinue", (request, response) => accept(request, response, true));
  return server;
}

export class NodeInbound implements Inbound {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly #waitsForContinue: boolean;
  /** Set once the rest of the body is not wanted; resolves when the client has sent it or had its time. */
  parting: Promise<void> | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, waitsForContinue: boolean) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? "GET";
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? "" : url.slice(mark + 1);
    this.#waitsForContinue = waitsForContinue;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  body(limitBytes: number): Promise<BodyRead> {
    const { request } = this;
    if (Number(request.headers["content-length"] ?? 0) > limitBytes) {
      this.#part();
      return Promise.resolve({ ok: false, reason: "too_large" });
    }
    // A client that left while it was authenticated: no event will ever come of it.
    if (request.destroyed) return Promise.resolve({ ok: false, reason: "cut_off" });
    if (this.#waitsForContinue) this.response.writeContinue();
    return new Promise((resolve) => {
      const pieces: Buffer[] = [];
      let length = 0;
      request.on("data", (piece: Buffer) => {
        length += piece.length;
        if (length <= limitBytes) return void pieces.push(piece);
        if (length - piece.length > limitBytes) return;
        pieces.length = 0;
        this.#part();
        resolve({ ok: false, reason: "too_large" });
      });
      request.on("end", () => {
        const [only] = pieces;
        resolve({ ok: true, bytes: pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length) });
      });
      const cutOff = (): void => resolve({ ok: false, reason: "cut_off" });
      request.on("error", cutOff);
      request.on("close", cutOff);
    });
  }

  onHangUp(callback: () => void): void {
    const { response } = this;
    response.on("close", () => {
      if (!response.writableEnded) callback();
    });
  }

  /**
   * What the client still sends is thrown away for a moment, and its connection is closed only then: one that is closed
   * while its client writes is reset, and the answer is lost with it.
   */
  #part(): void {
    const { request, response } = this;
    response.shouldKeepAlive = false;
    this.parting = new Promise((resolve) => {
      const timer = setTimeout(() => {
        request.destroy();
        resolve();
      }, partingMs);
      timer.unref();
      request.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    request.resume();
  }
}

export class NodeOutbound implements Outbound {
  readonly #response: ServerResponse;
  readonly #inbound: NodeInbound;

  constructor(response: ServerResponse, inbound: NodeInbound) {
    this.#response = response;
    this.#inbound = inbound;
  }

  head(status: number, headers: HeaderList): void {
    this.#response.writeHead(status, headers as string[]);
  }

  write(bytes: Uint8Array): boolean {
    return this.#response.write(bytes);
  }

  onDrain(callback: () => void): void {
    this.#response.on("drain", callback);
  }

  end(last?: Uint8Array): void {
    const { parting } = this.#inbound;
    if (parting !== undefined) {
      if (last !== undefined) this.#response.write(last);
      void parting.then(() => this.#response.end());
    } else if (last === undefined) this.#response.end();
    // As a string, each character a byte, a small body leaves together with the head in one buffer instead of two.
    else if (last.length <= oneWriteBytes)
      this.#response.end(Buffer.from(last.buffer, last.byteOffset, last.length).toString("latin1"), "latin1");
    else this.#response.end(last);
  }

  cut(): void {
    this.#response.destroy();
  }
}
