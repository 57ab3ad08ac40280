import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock, Entropy } from "../../clock.ts";
import type { SimulatedAnswer, SimulatedCall } from "../../simulator/call.ts";
import { ConnectionReset, type SimulatedBody } from "../../simulator/paced-body.ts";
import { profilesOf, type Pace, type RegionProfile, type SimulatedCatalogue } from "../../simulator/profile.ts";
import { createSimulatedRegion, type SeenRequest, type SimulatedRegion } from "../../simulator/simulated-region.ts";
import { systemClock, systemEntropy } from "./clock.ts";

export interface SimulatorOptions {
  readonly profiles: readonly RegionProfile[];
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined;
  readonly pace?: Partial<Pace> | undefined;
  readonly clock?: Clock | undefined;
  readonly entropy?: Entropy | undefined;
  readonly observe?: ((seen: SeenRequest) => void) | undefined;
}

export interface RunningSimulator {
  /** `http://127.0.0.1:PORT`: a region's endpoint is this, a slash and the region's id. */
  readonly url: string;
  readonly simulator: SimulatedRegion;
  /** Simulates the regions of a changed catalogue; those that stay keep what they remember. */
  setCatalogue(catalogue: SimulatedCatalogue): void;
  /** Breaks off what is still open. */
  close(): Promise<void>;
}

/** Serves simulated regions on loopback and nowhere else; from a catalogue, all of its regions. */
export async function startSimulator(source: SimulatorOptions | SimulatedCatalogue): Promise<RunningSimulator> {
  const options: SimulatorOptions = "profiles" in source ? source : { profiles: profilesOf(source) };
  const simulator = createSimulatedRegion({
    profiles: options.profiles,
    clock: options.clock ?? systemClock,
    entropy: options.entropy ?? systemEntropy,
    pace: options.pace,
    observe: options.observe,
  });
  // Longer than a client keeps an idle connection, or a request would meet a connection that is just closing.
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => void serve(simulator, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    simulator,
    setCatalogue: (catalogue) => simulator.setProfiles(profilesOf(catalogue)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(simulator: SimulatedRegion, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await send(await simulator.answer(new NodeCall(request, response)), response);
  } catch (error) {
    breakOff(error, request, response);
  }
}

async function send({ status, headers, body }: SimulatedAnswer, response: ServerResponse): Promise<void> {
  response.writeHead(status, headers as string[]);
  if (body instanceof Uint8Array) return void response.end(body);
  // Otherwise Node holds the head back until the first piece, and a stall after the head would be one before it.
  response.flushHeaders();
  // Where the client has gone already, nobody will be told so again.
  if (response.destroyed) return body.cancel();
  response.on("close", () => body.cancel());
  await pump(body, response);
}

async function pump(body: SimulatedBody, response: ServerResponse): Promise<void> {
  for (;;) {
    const piece = await body.next();
    if (piece === undefined) return void response.end();
    if (!response.write(piece) && !response.destroyed) await drained(response);
    if (response.destroyed) return;
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function breakOff(error: unknown, request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  if (!(error instanceof ConnectionReset) && !response.headersSent && !socket.destroyed) {
    response.writeHead(500, { "content-type": "text/plain" });
    response.end(`The simulated region failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  } else if (response.headersSent) {
    // A turn later, so that what was written before it still leaves; a reset would make the client lose that too.
    setImmediate(() => socket.destroy());
  } else {
    socket.resetAndDestroy();
  }
}

class NodeCall implements SimulatedCall {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    this.method = request.method ?? "GET";
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? "" : url.slice(mark + 1);
    this.#request = request;
    this.#response = response;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  text(): Promise<string> {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => void pieces.push(piece));
      request.on("end", () => resolve(Buffer.concat(pieces).toString("utf8")));
      request.on("error", reject);
      request.on("close", () => {
        if (!request.complete) reject(new ConnectionReset());
      });
    });
  }

  /** Made when somebody waits: most answers are given at once and need none. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      const response = this.#response;
      if (response.destroyed || response.socket?.destroyed === true) controller.abort();
      else response.on("close", () => controller.abort());
      this.#signal = controller.signal;
    }
    return this.#signal;
  }
}
