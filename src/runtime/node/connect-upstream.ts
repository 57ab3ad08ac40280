import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { ConnectionRules } from "../../region/connection-rules.ts";
import { checkAddress, type Connection, type CountryOfAddress } from "../../upstream/check-address.ts";

/** All addresses of a name, in the order in which they should be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export interface ConnectSettings {
  readonly connectMs: number;
  readonly countryOf: CountryOfAddress;
  readonly resolve: Resolve;
}

export interface Endpoint {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
}

export interface Connected {
  readonly socket: Socket;
  readonly connection: Connection;
}

/** Where the connection would lead, or who answers there, is not what the region declares. Nothing of a request was sent. */
export class ConnectionRefused extends Error {
  override readonly name = "ConnectionRefused";
}

export const systemResolve: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

/** Undici listens later: an error in between would otherwise be nobody's, and end the process. The socket goes by itself. */
const survive = (): void => {};

/** What was opened on the way; all of it goes where the way ends early. */
class Opening {
  #over = false;
  readonly #sockets: Socket[] = [];

  add<Opened extends Socket>(socket: Opened): Opened {
    socket.on("error", survive);
    this.#sockets.push(socket);
    if (this.#over) socket.destroy();
    return socket;
  }

  end(): void {
    this.#over = true;
    // TLS before the socket below it: the other way round, Node 26 was seen to die of a segmentation fault.
    for (const socket of this.#sockets.toReversed()) socket.destroy();
  }
}

/**
 * Connects to an endpoint of a region. The name is resolved here, each address is checked, and one that passed is
 * connected to by number: nothing resolves it a second time, so no name can be rebound between check and use. The
 * connected socket is checked again before TLS says its first word.
 */
export async function connectUpstream(
  endpoint: Endpoint,
  rules: ConnectionRules | undefined,
  settings: ConnectSettings,
): Promise<Connected> {
  const { hostname } = endpoint;
  const addresses = isIP(hostname) === 0 ? await settings.resolve(hostname) : [hostname];
  const decisions = [...new Set(addresses)].map((address) => ({ address, ...checkAddress(address, rules, settings.countryOf) }));
  const admitted = decisions.filter((decision) => decision.ok);
  if (admitted.length === 0) {
    const why = decisions.flatMap((decision) => (decision.ok ? [] : decision.why));
    throw new ConnectionRefused(why.length === 0 ? `${hostname} has no address` : why.join("; "));
  }
  let failed: unknown;
  for (const { address } of admitted) {
    try {
      return await openOne(address, endpoint, rules, settings, settings.connectMs / admitted.length);
    } catch (error) {
      if (error instanceof ConnectionRefused) throw error;
      failed = error;
    }
  }
  throw failed;
}

async function openOne(
  address: string,
  endpoint: Endpoint,
  rules: ConnectionRules | undefined,
  { countryOf }: ConnectSettings,
  withinMs: number,
): Promise<Connected> {
  const opening = new Opening();
  const timeUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeUp.reject(new Error("the connection took too long")), withinMs);
  const open = async (): Promise<Connected> => {
    const socket = await openTcp(address, endpoint, opening);
    const decision = checkAddress(socket.remoteAddress ?? "", rules, countryOf);
    if (!decision.ok) throw new ConnectionRefused(`asked for ${address}, connected to ${decision.why}`);
    const { connection } = decision;
    return {
      socket: endpoint.protocol === "https:" ? await openTls(socket, endpoint.hostname, rules, opening) : socket,
      connection,
    };
  };
  try {
    return await Promise.race([timeUp.promise, open()]);
  } catch (error) {
    opening.end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function openTcp(address: string, { protocol, port }: Endpoint, opening: Opening): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({
      host: address,
      port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
      // One address, the one that was checked.
      autoSelectFamily: false,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    });
    opening.add(socket).once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

function openTls(raw: Socket, hostname: string, rules: ConnectionRules | undefined, opening: Opening): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: raw,
      host: hostname,
      // An address has no place in SNI; the certificate must bear it all the same.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      ALPNProtocols: ["http/1.1"],
      // Said here, so that no variable of the environment can switch it off.
      rejectUnauthorized: true,
    });
    opening.add(socket).once("error", (error: NodeJS.ErrnoException) => {
      const { authorizationError } = socket as { readonly authorizationError: unknown };
      if (authorizationError === undefined || authorizationError === null) return reject(error);
      reject(new ConnectionRefused(`the certificate of ${hostname} is not trusted: ${error.code ?? error.message}`));
    });
    // An end without an error, before TLS stands, is told by this alone.
    socket.once("close", () => reject(new Error("the connection was closed before TLS stood")));
    socket.once("secureConnect", () => {
      const pins = rules?.keyPins ?? [];
      if (pins.length === 0 || pins.includes(keyOf(socket))) resolve(socket);
      else
        reject(new ConnectionRefused(`the certificate of ${hostname} has the key ${keyOf(socket)}, which is none of the pinned`));
    });
  });
}

/** SHA-256 of the certificate's public key, base64. */
function keyOf(socket: TLSSocket): string {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
  return key === undefined ? "unknown" : createHash("sha256").update(key).digest("base64");
}
