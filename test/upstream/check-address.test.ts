import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectionRules } from "../../src/region/connection-rules.ts";
import { parseNetwork, type Network } from "../../src/region/network.ts";
import { checkAddress, type CountryOfAddress } from "../../src/upstream/check-address.ts";

const networks = (...texts: readonly string[]): readonly Network[] => texts.flatMap((text) => parseNetwork(text) ?? []);
const rules = (parts: Partial<ConnectionRules>): ConnectionRules => ({
  local: false,
  networks: [],
  addressCountry: undefined,
  keyPins: [],
  ...parts,
});
const inSingapore: CountryOfAddress = () => ({ country: "SG" });
const noTable: CountryOfAddress = () => ({ unknown: "no table" });

describe("an address that a region would be reached at", () => {
  it("passes by the region's networks", () => {
    const declared = rules({ networks: networks("20.0.0.0/8") });
    expect(checkAddress("20.1.2.3", declared, noTable)).toEqual({
      ok: true,
      connection: { address: "20.1.2.3", check: "networks", country: undefined },
    });
    expect(checkAddress("21.1.2.3", declared, noTable)).toMatchObject({
      ok: false,
      why: expect.stringContaining("none of the region's"),
    });
  });

  it("passes by the table's country", () => {
    expect(checkAddress("20.1.2.3", rules({ addressCountry: "SG" }), inSingapore)).toEqual({
      ok: true,
      connection: { address: "20.1.2.3", check: "country-table", country: "SG" },
    });
    expect(checkAddress("20.1.2.3", rules({ addressCountry: "JP" }), inSingapore)).toMatchObject({
      ok: false,
      why: "20.1.2.3 is in SG, declared is JP",
    });
    expect(checkAddress("20.1.2.3", rules({ addressCountry: "SG" }), noTable)).toMatchObject({
      ok: false,
      why: expect.stringContaining("no table"),
    });
  });

  it("must pass by both where both are declared", () => {
    const both = rules({ addressCountry: "SG", networks: networks("20.0.0.0/8") });
    expect(checkAddress("20.1.2.3", both, inSingapore)).toMatchObject({
      ok: true,
      connection: { check: "networks", country: "SG" },
    });
    expect(checkAddress("21.1.2.3", both, inSingapore).ok).toBe(false);
    expect(checkAddress("20.1.2.3", { ...both, addressCountry: "JP" }, inSingapore).ok).toBe(false);
  });

  it.each(["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0", "64:ff9b::a00:1"])(
    "is refused at %s, whatever the table says and even inside a network, unless the region is local",
    (text) => {
      for (const parts of [{ addressCountry: "SG" }, { networks: networks("0.0.0.0/0", "::/0") }])
        expect(checkAddress(text, rules(parts), inSingapore).ok).toBe(false);
    },
  );

  it("of a local region is private, and in its networks where there are any", () => {
    expect(checkAddress("10.0.0.1", rules({ local: true }), noTable)).toMatchObject({ ok: true, connection: { check: "local" } });
    expect(checkAddress("20.0.0.1", rules({ local: true }), noTable).ok).toBe(false);
    expect(checkAddress("0.0.0.0", rules({ local: true }), noTable).ok).toBe(false);
    expect(checkAddress("10.0.0.1", rules({ local: true, networks: networks("10.1.0.0/16") }), noTable).ok).toBe(false);
  });

  it("is refused wherever nothing is declared", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
        expect(checkAddress(text, undefined, inSingapore).ok).toBe(false);
        expect(checkAddress(text, rules({}), inSingapore).ok).toBe(false);
      }),
    );
  });
});
