import fc from "fast-check";
import { BlockList, isIP } from "node:net";
import { describe, expect, it } from "vitest";
import { contains, parseAddress, parseNetwork, reachOf, type Network } from "../../src/region/network.ts";

const network = (text: string): Network => {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is no network`);
  return parsed;
};
const reach = (text: string): string | undefined => {
  const address = parseAddress(text);
  return address === undefined ? undefined : reachOf(address);
};

describe("an address", () => {
  it("is read as Node reads it, or not at all", () => {
    const digits = fc.array(fc.constantFrom("0", "1", "9", "255", "256", "f", "ffff", ":", "::", ".", "%eth0"), {
      maxLength: 18,
    });
    const texts = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      digits.map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const expected = text.includes("%") ? 0 : isIP(text);
        expect(parseAddress(text) !== undefined).toBe(expected !== 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it("in IPv6's clothes is the IPv4 address that it is", () => {
    expect(parseAddress("::ffff:10.0.0.1")).toEqual(parseAddress("10.0.0.1"));
    expect(parseAddress("::ffff:a00:1")).toEqual(parseAddress("10.0.0.1"));
    expect(reach("::ffff:127.0.0.1")).toBe("private");
  });

  it.each(["010.0.0.1", "1.2.3", "1.2.3.4.5", "0x7f.0.0.1", "2130706433", "", "::1%lo", "1::2::3", "12345::"])(
    "is not %j",
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  it.each(["127.0.0.1", "10.255.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1"])(
    "%s is private",
    (text) => expect(reach(text)).toBe("private"),
  );

  it.each([
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2001:0:1::1",
    "100::1",
  ])("%s is reserved", (text) => expect(reach(text)).toBe("reserved"));

  it.each(["20.43.132.5", "172.32.0.1", "2607:6bc0::1", "2a06:98c0::1"])("%s is public", (text) =>
    expect(reach(text)).toBe("public"),
  );
});

describe("a network", () => {
  it("holds what Node's own list of networks holds", () => {
    const cases = fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }));
    fc.assert(
      fc.property(cases, ([base, text, bits]) => {
        const masked = maskedTo(base, bits);
        const list = new BlockList();
        list.addSubnet(masked, bits);
        expect(contains(network(`${masked}/${bits}`), parseAddress(text) ?? new Uint8Array())).toBe(list.check(text));
        expect(contains(network(`${masked}/${bits}`), parseAddress(base) ?? new Uint8Array())).toBe(true);
      }),
    );
  });

  it("of one family holds no address of the other", () => {
    expect(contains(network("0.0.0.0/0"), parseAddress("2607:6bc0::1") ?? new Uint8Array())).toBe(false);
    expect(contains(network("2607:6bc0::/48"), parseAddress("2607:6bc0:0:1::5") ?? new Uint8Array())).toBe(true);
    expect(contains(network("2607:6bc0::/48"), parseAddress("2607:6bc0:1::") ?? new Uint8Array())).toBe(false);
  });

  it.each(["20.0.0.0", "20.0.0.0/33", "20.0.0.1/8", "20.0.0.0/-1", "20.0.0.0/8/8", "/8", "2607:6bc0::1/48"])(
    "is not %j",
    (text) => {
      expect(parseNetwork(text)).toBeUndefined();
    },
  );
});

function maskedTo(text: string, bits: number): string {
  const value = [...(parseAddress(text) ?? [])].reduce((sum, byte) => sum * 256 + byte, 0);
  const size = 2 ** (32 - bits);
  const base = Math.floor(value / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".");
}
