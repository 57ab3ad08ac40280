import { once } from "node:events";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createHttpsServer } from "node:https";
import { setDefaultCACertificates, getCACertificates } from "node:tls";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ConnectionRules } from "../../src/region/connection-rules.ts";
import { parseNetwork, type Network } from "../../src/region/network.ts";
import type { Resolve } from "../../src/runtime/node/connect-upstream.ts";
import { NodeTransport } from "../../src/runtime/node/transport.ts";
import { checkAddress, type Connection, type CountryOfAddress } from "../../src/upstream/check-address.ts";
import type { TransportFailure } from "../../src/upstream/transport.ts";
import { CertificateAuthority, type Certificate } from "../support/certificates.ts";
import { localConnection } from "../support/local-connection.ts";

const secret = "the prompt that must not leave";
const hostname = "models.region.test";

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const authorities: CertificateAuthority[] = [];
let certificate: Certificate;
let elsewhere: Certificate;
const trusted = getCACertificates("default");
beforeAll(() => {
  const authority = new CertificateAuthority();
  authorities.push(authority);
  setDefaultCACertificates([...trusted, authority.certificate]);
  certificate = authority.issue(hostname);
  elsewhere = authority.issue("another.region.test");
});
afterAll(() => {
  setDefaultCACertificates(trusted);
  for (const authority of authorities) authority.remove();
});

const networksOf = (text: string): Network[] => [parseNetwork(text)].flatMap((network) => network ?? []);

async function listen(server: Server, host: string, port = 0): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Keeps all that anybody sends to it. */
async function tcp(
  host = "127.0.0.1",
): Promise<{ readonly port: number; readonly heard: () => string; readonly count: () => number }> {
  let text = "";
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: await listen(server, host), heard: () => text, count: () => connections };
}

async function https(own: Certificate): Promise<{ readonly port: number; readonly requests: () => number }> {
  let requests = 0;
  const server = createHttpsServer({ key: own.key, cert: own.cert }, (_request, response) => {
    requests++;
    response.end("ok");
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: await listen(server, "127.0.0.1"), requests: () => requests };
}

interface Told {
  readonly connection: Connection | undefined;
  readonly failure: TransportFailure | undefined;
}

interface Going {
  readonly origin: string;
  readonly rules?: ConnectionRules | undefined;
  readonly resolve?: Resolve;
  readonly countryOf?: CountryOfAddress;
  readonly through?: NodeTransport;
}

function transport(resolve?: Resolve, countryOf: CountryOfAddress = () => ({ unknown: "no table" })): NodeTransport {
  const made = new NodeTransport({ connections: 4, connectMs: 2_000, countryOf, ...(resolve === undefined ? {} : { resolve }) });
  closing.push(() => made.close());
  return made;
}

function send({ origin, rules, resolve, countryOf, through = transport(resolve, countryOf) }: Going): Promise<Told> {
  return new Promise((told) => {
    let connection: Connection | undefined;
    const body = new TextEncoder().encode(secret);
    through.send(
      { method: "POST", origin, path: "/v1/chat/completions", headers: ["authorization", secret], body, connection: rules },
      {
        connected: (to) => (connection = to),
        head: () => {},
        data: () => {},
        end: () => told({ connection, failure: undefined }),
        fail: (failure) => told({ connection, failure }),
      },
    );
  });
}

const refused = { connection: undefined, failure: { phase: "refused" as const, message: expect.any(String) } };

describe("a connection to an upstream", () => {
  it("tells what it was connected to and how that was checked", async () => {
    const { port, heard } = await tcp();
    const told = await send({ origin: `http://127.0.0.1:${port}`, rules: localConnection });
    expect(told).toEqual({ connection: { address: "127.0.0.1", check: "local", country: undefined }, failure: undefined });
    expect(heard()).toContain(secret);
  });

  it("is not made to a private address, unless the region is declared local", async () => {
    const { port, count } = await tcp();
    const named: Going = { origin: `http://${hostname}:${port}`, resolve: async () => ["127.0.0.1"] };
    expect(
      await send({
        ...named,
        rules: { ...localConnection, local: false, addressCountry: "SG" },
        countryOf: () => ({ country: "SG" }),
      }),
    ).toEqual(refused);
    expect(await send({ ...named, rules: undefined })).toEqual(refused);
    expect(count()).toBe(0);
    expect((await send({ ...named, rules: localConnection })).failure).toBeUndefined();
  });

  it("goes to the very address that was checked, however often the name changes", async () => {
    const { port, heard } = await tcp();
    const trap = await tcp("127.0.0.2");
    let asked = 0;
    // The first look finds the right address, every later one the trap.
    const rebinding: Resolve = async () => (asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
    const rules = { ...localConnection, networks: networksOf("127.0.0.1/32") };
    const through = transport(rebinding);
    expect((await send({ origin: `http://${hostname}:${port}`, rules, through })).connection?.address).toBe("127.0.0.1");
    expect(heard()).toContain(secret);
    for (let round = 0; round < 3; round++)
      expect(await send({ origin: `http://${hostname}:${trap.port}`, rules, through })).toEqual(refused);
    expect(trap.count()).toBe(0);
  });

  it("takes an address that passes out of several, and none of the others", async () => {
    const { port } = await tcp();
    const rules = { ...localConnection, networks: networksOf("127.0.0.1/32") };
    const resolve: Resolve = async () => ["127.0.0.3", "8.8.8.8", "::1", "127.0.0.1"];
    expect((await send({ origin: `http://${hostname}:${port}`, rules, resolve })).connection?.address).toBe("127.0.0.1");
  });

  it("tries the next address that passes where one is dead", async () => {
    const { port } = await tcp("127.0.0.5");
    const told = await send({
      origin: `http://${hostname}:${port}`,
      rules: localConnection,
      resolve: async () => ["127.0.0.4", "127.0.0.5"],
    });
    expect(told.connection?.address).toBe("127.0.0.5");
  });

  it("fails as one that never stood where the name is unknown or nobody listens", async () => {
    const unknown: Resolve = () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
    expect((await send({ origin: `http://${hostname}:1`, rules: localConnection, resolve: unknown })).failure?.phase).toBe(
      "connect",
    );
    expect((await send({ origin: "http://127.0.0.1:1", rules: localConnection })).failure?.phase).toBe("connect");
    expect((await send({ origin: `http://${hostname}:1`, rules: localConnection, resolve: async () => [] })).failure?.phase).toBe(
      "refused",
    );
  });

  it("that was kept is not used again under other rules, nor once its check no longer holds", async () => {
    let connections = 0;
    let requests = 0;
    const keepAlive = createTcpServer((socket) => {
      connections++;
      socket.on("error", () => {});
      socket.on("data", () => {
        requests++;
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
      closing.push(() => void socket.destroy());
    });
    closing.push(() => void keepAlive.close());
    const origin = `http://127.0.0.1:${await listen(keepAlive, "127.0.0.1")}`;
    const through = transport();
    const networks = networksOf("127.0.0.0/8");
    const rules = { ...localConnection, networks };
    // A connection is free for the next request one turn of the event loop after its answer has ended.
    const sendWhenFree = async (going: Pick<Going, "rules">): Promise<Told> => {
      await turn();
      return send({ origin, through, ...going });
    };
    for (let number = 0; number < 2; number++) expect((await sendWhenFree({ rules })).failure).toBeUndefined();
    expect([connections, requests]).toEqual([1, 2]);
    expect(await sendWhenFree({ rules: { ...localConnection, local: false } })).toEqual(refused);
    // What was known of the address has changed behind the open connection, as when the table grows too old.
    networks.splice(0, 1, ...networksOf("10.0.0.0/8"));
    expect(await sendWhenFree({ rules })).toEqual(refused);
    expect([connections, requests]).toEqual([1, 2]);
  });

  it("has the certificate of the declared host, or carries nothing", async () => {
    const right = await https(certificate);
    const wrong = await https(elsewhere);
    const resolve: Resolve = async () => ["127.0.0.1"];
    expect(
      (await send({ origin: `https://${hostname}:${right.port}`, rules: localConnection, resolve })).failure,
    ).toBeUndefined();
    const told = await send({ origin: `https://${hostname}:${wrong.port}`, rules: localConnection, resolve });
    expect(told).toEqual(refused);
    expect(told.failure?.message).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(wrong.requests()).toBe(0);
  });

  it("is not made to a certificate that nobody trusts, whatever the environment says", async () => {
    const stranger = new CertificateAuthority();
    authorities.push(stranger);
    const { port, requests } = await https(stranger.issue(hostname));
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    closing.push(() => void delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    const told = await send({
      origin: `https://${hostname}:${port}`,
      rules: localConnection,
      resolve: async () => ["127.0.0.1"],
    });
    expect(told).toEqual(refused);
    expect(requests()).toBe(0);
  });

  it("has one of the pinned keys, where keys are pinned", async () => {
    const { port, requests } = await https(certificate);
    const origin = `https://${hostname}:${port}`;
    const resolve: Resolve = async () => ["127.0.0.1"];
    expect(await send({ origin, rules: { ...localConnection, keyPins: [elsewhere.pin] }, resolve })).toEqual(refused);
    expect(requests()).toBe(0);
    const pinned = { ...localConnection, keyPins: [elsewhere.pin, certificate.pin] };
    expect((await send({ origin, rules: pinned, resolve })).failure).toBeUndefined();
  });

  it("writes no byte to an address that was refused, whatever a name resolves to", async () => {
    const hosts = ["127.0.0.1", "127.0.0.6", "127.0.0.7"];
    const port = (await tcp(hosts[0])).port;
    const servers = new Map<string, string>();
    for (const host of hosts.slice(1)) {
      const server = createTcpServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (piece) => {
          servers.set(host, piece.toString("latin1"));
          socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        });
      });
      closing.push(() => void server.close());
      await listen(server, host, port);
    }
    const answers = fc.array(fc.constantFrom(...hosts, "::1", "8.8.8.8", "0.0.0.0", "169.254.169.254", "nonsense"), {
      maxLength: 5,
    });
    const network = fc.constantFrom("127.0.0.1/32", "127.0.0.6/32", "127.0.0.6/31", "127.0.0.0/8");
    await fc.assert(
      fc.asyncProperty(fc.array(answers, { minLength: 1, maxLength: 3 }), network, async (looks, declared) => {
        servers.clear();
        const rules = { ...localConnection, networks: networksOf(declared) };
        let look = 0;
        const through = new NodeTransport({
          connections: 1,
          connectMs: 500,
          countryOf: () => ({ unknown: "no table" }),
          resolve: async () => looks[Math.min(look++, looks.length - 1)] ?? [],
        });
        for (let round = 0; round < 2; round++) {
          const told = await send({ origin: `http://${hostname}:${port}`, rules, through });
          const address = told.connection?.address;
          if (address !== undefined) expect(checkAddress(address, rules, () => ({ unknown: "" })).ok).toBe(true);
        }
        await through.close();
        for (const host of servers.keys()) expect(checkAddress(host, rules, () => ({ unknown: "" })).ok).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
