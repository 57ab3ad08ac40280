import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/region/network.ts";
import { AddressCountries, bundledTable, CountryTable } from "../../src/runtime/node/country-table.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const short = "16777216,16777471,AU\n16777472,16778239,CN\n3232235776,3232236031,SG\n";
const long = "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n2607:6bc0::,2607:6bc0::ffff,US\n";

function folder(files: { readonly short?: string; readonly long?: string; readonly version?: string } = {}): string {
  const made = mkdtempSync(join(tmpdir(), "strait-table-"));
  folders.push(made);
  writeFileSync(join(made, "geo-whois-asn-country-ipv4-num.csv"), files.short ?? short);
  writeFileSync(join(made, "geo-whois-asn-country-ipv6.csv"), files.long ?? long);
  writeFileSync(join(made, "package.json"), JSON.stringify({ version: files.version ?? "2.3.2026061719" }));
  return made;
}

const address = (text: string): Uint8Array => parseAddress(text) ?? new Uint8Array();
const at =
  (instant: string): (() => number) =>
  () =>
    Date.parse(instant);

describe("the table of addresses by country", () => {
  it("finds the range that holds an address, at both of its ends", () => {
    const table = CountryTable.read(folder());
    const found = ["0.255.255.255", "1.0.0.0", "1.0.0.255", "1.0.1.0", "1.0.4.0", "192.168.1.255", "192.168.2.0"];
    expect(found.map((text) => table.countryOf(address(text)))).toEqual([
      undefined,
      "AU",
      "AU",
      "CN",
      undefined,
      "SG",
      undefined,
    ]);
    const longs = ["2001:1ff::", "2001:200::", "2001:200:ffff::1", "2001:201::", "2607:6bc0::ffff", "2607:6bc0::1:0", "::1"];
    expect(longs.map((text) => table.countryOf(address(text)))).toEqual([
      undefined,
      "JP",
      "JP",
      undefined,
      "US",
      undefined,
      undefined,
    ]);
  });

  it("knows nothing where ranges of several countries overlap", () => {
    const table = CountryTable.read(folder({ short: "16777216,16777471,AU\n16777300,16777310,CN\n16777500,16777600,SG\n" }));
    for (const text of ["1.0.0.1", "1.0.0.90", "1.0.0.255"]) expect(table.countryOf(address(text))).toBe("conflicting");
    expect(table.countryOf(address("1.0.1.40"))).toBe("SG");
    const { countryOf } = new AddressCountries({
      folder: folder({ short: "1,9,AU\n5,6,CN\n" }),
      maxAgeDays: 99,
      nowMs: at("2026-07-01T00:00:00Z"),
    });
    expect(countryOf(Uint8Array.of(0, 0, 0, 1))).toEqual({ unknown: expect.stringContaining("more than one") });
  });

  it.each([
    ["a line that is no range", { short: "1,2\n" }, "line 1 is no range"],
    ["an end that is no address", { long: "2001:200::,never,JP\n" }, "line 1 is no range"],
    ["lines out of order", { short: "16777472,16778239,CN\n16777216,16777471,AU\n" }, "line 2 is out of order"],
    ["a version without a day", { version: "2.3.0" }, "no day"],
  ])("is not read with %s", (_what, files, why) => {
    expect(() => CountryTable.read(folder(files))).toThrow(why);
    const { countryOf } = new AddressCountries({ folder: folder(files), maxAgeDays: 99, nowMs: at("2026-07-01T00:00:00Z") });
    expect(countryOf(address("1.0.0.1"))).toEqual({ unknown: expect.stringContaining("cannot be read") });
  });

  it("says nothing once it is too old, nor where the clock says that it is not yet made", () => {
    let now = "2026-06-20T00:00:00Z";
    const countries = new AddressCountries({ folder: folder(), maxAgeDays: 30, nowMs: () => Date.parse(now) });
    expect(countries.countryOf(address("1.0.0.1"))).toEqual({ country: "AU" });
    now = "2026-07-18T00:00:00Z";
    expect(countries.countryOf(address("1.0.0.1"))).toEqual({ unknown: expect.stringContaining("31 days old") });
    now = "2026-06-01T00:00:00Z";
    expect(countries.countryOf(address("1.0.0.1"))).toEqual({ unknown: expect.stringContaining("days old") });
  });

  it("comes with a table that knows where cloud regions are", { timeout: 30_000 }, () => {
    const table = CountryTable.read(bundledTable());
    expect(new Date(table.madeAtMs).toISOString()).toMatch(/^20\d\d-\d\d-\d\dT00:00:00.000Z$/);
    expect(table.countryOf(address("20.43.132.5"))).toBe("SG");
    expect(table.countryOf(address("20.191.160.10"))).toBe("JP");
    expect(table.countryOf(address("2607:6bc0::1"))).toBe("US");
    expect(table.countryOf(address("127.0.0.1"))).toBeUndefined();
  });
});
