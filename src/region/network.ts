/** IP addresses and networks, as bytes: the core has no `node:net`, and text compares wrongly (`::1` is `0:0:0:0:0:0:0:1`). */

/** 4 or 16 bytes in network order. An IPv4 address in IPv6's clothes (`::ffff:10.0.0.1`) is the IPv4 address that it is. */
export type Address = Uint8Array;

export interface Network {
  readonly address: Address;
  readonly prefixBits: number;
}

/** `undefined` for what is no address, an address with a zone (`fe80::1%eth0`) and a number with leading zeros among it. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseLong(text) : parseShort(text);
}

/** `20.0.0.0/8`, `2607:6bc0::/48`. Bits behind the prefix must be zero: else the writer meant something else. */
export function parseNetwork(text: string): Network | undefined {
  const [, base = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === undefined || Number(bits) > address.length * 8) return undefined;
  const network = { address, prefixBits: Number(bits) };
  return address.every((byte, index) => (byte & ~mask(network, index) & 0xff) === 0) ? network : undefined;
}

export function contains(network: Network, address: Address): boolean {
  if (network.address.length !== address.length) return false;
  return address.every((byte, index) => (byte & mask(network, index)) === network.address[index]);
}

/** What an address is for. `reserved`: nobody that answers can have it, or it hides another address in it. */
export function reachOf(address: Address): "public" | "private" | "reserved" {
  if (privateNetworks.some((network) => contains(network, address))) return "private";
  if (reservedNetworks.some((network) => contains(network, address))) return "reserved";
  // Of IPv6 only this much is given out.
  return address.length === 4 || ((address[0] ?? 0) & 0xe0) === 0x20 ? "public" : "reserved";
}

/** The bits of byte `index` that belong to the prefix. */
function mask({ prefixBits }: Network, index: number): number {
  const bits = Math.min(8, Math.max(0, prefixBits - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

function parseShort(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  // `010` is 8 to some and 10 to others.
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseLong(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0] ?? ""), groupsOf(halves[1] ?? "")];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const bytes = new Uint8Array(16);
  [...head, ...Array.from({ length: missing }, () => 0), ...tail].forEach((group, index) => {
    bytes[index * 2] = group >> 8;
    bytes[index * 2 + 1] = group & 0xff;
  });
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}

/** The 16-bit groups of one side of `::`; the last may be written as an IPv4 address. */
function groupsOf(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const short = index === parts.length - 1 ? parseShort(part) : undefined;
    if (short === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = short;
    groups.push((a << 8) | b, (c << 8) | d);
  }
  return groups;
}

function networksOf(text: string): readonly Network[] {
  return text.split(/\s+/).flatMap((each) => parseNetwork(each) ?? []);
}

/** Loopback, private, shared and link-local addresses. Link-local holds the clouds' metadata services. */
const privateNetworks = networksOf(
  "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 ::1/128 fc00::/7 fe80::/10",
);

/** IANA's special-purpose registries; 6to4, Teredo and their kin hide the address that is really reached. */
const reservedNetworks = networksOf(
  `0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
   2001::/23 2001:db8::/32 2002::/16 3fff::/20`,
);
