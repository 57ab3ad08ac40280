import type { ClusterOptions, RedisOptions } from "ioredis";

/** Where the servers are. `nodes` in host and port; of a cluster any few of them, the others are found. */
export interface ValkeyAddress {
  readonly cluster: boolean;
  readonly nodes: readonly ValkeyNode[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: boolean;
}

export interface ValkeyNode {
  readonly host: string;
  readonly port: number;
}

const schemes: Readonly<Record<string, { readonly tls: boolean }>> = {
  "redis:": { tls: false },
  "valkey:": { tls: false },
  "rediss:": { tls: true },
  "valkeys:": { tls: true },
};

export const valkeyAddressExample =
  "redis://user:password@host:6379, rediss:// with TLS, valkey:// or valkeys://; several with commas for a cluster";

export function isValkeyAddress(text: string): boolean {
  try {
    readValkeyAddress(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads `redis://user:password@host:6379/0`. Several addresses with commas between them are nodes of one cluster, and so
 * is one that ends in `?cluster`; those after the first may be `host:port` alone.
 *
 * @throws {Error} without the address in it, since that holds the password.
 */
export function readValkeyAddress(text: string): ValkeyAddress {
  const [first = "", ...others] = text.split(",").map((part) => part.trim());
  const url = parse(first);
  const scheme = schemes[url.protocol];
  if (scheme === undefined) throw unreadable();
  const rest = others.map((other) => parse(other.includes("://") ? other : `${url.protocol}//${other}`));
  if (rest.some(({ protocol }) => protocol !== url.protocol))
    throw new Error("The nodes of one cluster all have the same scheme.");
  const database = Number(/^\/?(\d*)$/.exec(url.pathname)?.[1] ?? Number.NaN);
  if (!Number.isInteger(database)) throw unreadable();
  const cluster = others.length > 0 || url.searchParams.has("cluster");
  if (cluster && database !== 0) throw new Error("A cluster has no database but 0.");
  return {
    cluster,
    nodes: [url, ...rest].map(nodeOf),
    username: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    database,
    tls: scheme.tls,
  };
}

/** For the log: hosts and ports, and nothing secret. */
export function describeAddress({ nodes }: ValkeyAddress): string {
  return nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(", ");
}

/** What the client needs to know of an address, for one server as for each node of a cluster. */
export function authentication({ username, password, tls }: ValkeyAddress): Pick<RedisOptions, "username" | "password" | "tls"> {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
  };
}

/** A certificate names a host, so the hosts of a cluster behind TLS are not turned into addresses. */
export function lookup({ tls }: ValkeyAddress): Pick<ClusterOptions, "dnsLookup"> {
  return tls ? { dnsLookup: (host, callback) => callback(null, host) } : {};
}

function parse(text: string): URL {
  const url = URL.parse(text);
  if (url === null || url.hostname === "") throw unreadable();
  return url;
}

function nodeOf(url: URL): ValkeyNode {
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: url.port === "" ? 6379 : Number(url.port) };
}

function unreadable(): Error {
  return new Error(`The address of Valkey cannot be read. It looks like ${valkeyAddressExample}.`);
}
