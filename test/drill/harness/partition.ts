import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** The way of one gateway to a server, which can be cut: nothing that is sent arrives any more, and nobody says so. */
export class Partition {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(to: number | string) {
    this.#server = createServer((near) => {
      this.#track(near);
      const far = typeof to === "number" ? connect(to, "127.0.0.1") : connect(to);
      this.#track(far);
      near.on("data", (piece) => this.#isCut || far.write(piece));
      far.on("data", (piece) => this.#isCut || near.write(piece));
      near.once("close", () => far.destroy());
      far.once("close", () => near.destroy());
    });
  }

  /** Between `at` (a path, or 0 for a port of its own on loopback) and `to` (a port of loopback, or a path). */
  static async start(at: string | 0, to: number | string): Promise<Partition> {
    const partition = new Partition(to);
    if (at === 0) partition.#server.listen(0, "127.0.0.1");
    else partition.#server.listen(at);
    await once(partition.#server, "listening");
    return partition;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : Number.NaN;
  }

  cut(): void {
    this.#isCut = true;
  }

  /** What was lost stays lost, so that every connection has to be made anew. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.heal();
    this.#server.close();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
