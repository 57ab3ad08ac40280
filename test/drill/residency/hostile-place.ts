import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificate } from "../../support/certificates.ts";

/** Stands in every prompt of the drill, so that one is known wherever it turns up. */
export const promptMark = "PROMPT-OF-THE-DRILL";

/** Headers of an answer, or where a redirect leads, by the name that was called. */
export type Answering = (name: string) => {
  readonly headers?: readonly string[];
  readonly redirect?: string;
  readonly model?: string;
};

/** An upstream at one address of loopback, which counts all that reaches it. */
export class HostilePlace {
  readonly #server: Server;
  #connections = 0;
  #promptBytes = 0;
  /** When each request came, by the name that was called. */
  readonly requests: { readonly name: string; readonly atMs: number }[] = [];

  private constructor({ key, cert }: Certificate, answering: Answering) {
    this.#server = createServer({ key, cert }, (request, response) => void this.#answer(request, response, answering));
    this.#server.on("connection", () => (this.#connections += 1));
    this.#server.on("tlsClientError", () => undefined);
  }

  static async start(
    host: string,
    port: number,
    certificate: Certificate,
    answering: Answering = () => ({}),
  ): Promise<HostilePlace> {
    const place = new HostilePlace(certificate, answering);
    place.#server.listen(port, host);
    await once(place.#server, "listening");
    return place;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Of TCP, whatever became of them. */
  get connections(): number {
    return this.#connections;
  }

  /** Of request bodies that hold a prompt. */
  get promptBytes(): number {
    return this.#promptBytes;
  }

  requestsFor(name: string): number {
    return this.requests.filter((request) => request.name === name).length;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, answering: Answering): Promise<void> {
    const name = (request.headers.host ?? "").split(".")[0] ?? "";
    this.requests.push({ name, atMs: Date.now() });
    let body = "";
    request.setEncoding("utf8");
    for await (const piece of request) body += String(piece);
    if (body.includes(promptMark)) this.#promptBytes += Buffer.byteLength(body);
    const { headers = [], redirect, model = "gpt-a" } = answering(name);
    // Every request looks the name up anew.
    response.setHeader("connection", "close");
    if (redirect !== undefined) return void response.writeHead(307, { location: redirect }).end();
    for (let index = 0; index < headers.length; index += 2) response.setHeader(headers[index] ?? "", headers[index + 1] ?? "");
    response.writeHead(200, { "content-type": "application/json" });
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    response.end(JSON.stringify({ id: `resp_${this.requests.length}`, model, choices: [], output: [], usage }));
  }
}
