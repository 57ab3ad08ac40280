import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Stands before a server and loses what it is told to lose, as a network does. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cutAfterNext = false;
  #away = false;

  private constructor(targetPort: number) {
    this.#server = createServer((client) =>
      this.#away ? client.destroy() : this.#join(client, connect(targetPort, "127.0.0.1")),
    );
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets the next request through, and breaks the connection in place of the answer. */
  cutNextAnswer(): void {
    this.#cutAfterNext = true;
  }

  /** The same, and nobody gets through until `comeBack`. */
  cutNextAnswerAndLeave(): void {
    this.#cutAfterNext = true;
    this.#away = true;
  }

  comeBack(): void {
    this.#away = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket, upstream: Socket): void {
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      if (!this.#cutAfterNext) return void client.write(chunk);
      this.#cutAfterNext = false;
      client.destroy();
    });
  }
}
