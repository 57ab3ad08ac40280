import { describe, expect, test } from "vitest";
import { readOptions } from "../../bench/options.ts";
import { jsonReport, showReport } from "../../bench/report.ts";
import { Results } from "../../bench/results.ts";
import { storeNames } from "../../bench/targets.ts";

function options(...commandLine: string[]): NonNullable<ReturnType<typeof readOptions>> {
  const read = readOptions(commandLine);
  if (read === undefined) throw new Error("help was asked for");
  return read;
}

describe("the report", () => {
  test("says of each aim whether it was met, missed and by how much, or not measured", () => {
    const results = new Results();
    for (const [round, value] of [100, 110, 90].entries()) {
      results.add("cpuPerRequest", "bare", round, value);
      results.add("cpuPerRequest", "strait", round, value * 2);
      results.add("memoryPerStream", "strait", round, 50);
    }
    const lines = showReport(results, options()).split("\n");
    expect(lines.find((line) => line.includes("CPU a request, x bare"))).toMatch(/2\.00\s+<= 1\.8\s+missed by 11 %/);
    expect(lines.find((line) => line.includes("KB an open idle stream"))).toMatch(/50\.00\s+<= 60\s+met/);
    expect(lines.find((line) => line.includes("x Portkey"))).toMatch(/-\s+<= 0\.35\s+not measured/);
  });

  test("sets a store's cost beside the bare pass-through of the same run, and a million tenants beside a thousand", () => {
    const { few, allCalling } = storeNames.valkey;
    const results = new Results();
    results.add("cpuPerRequest", "bare", 0, 100);
    results.add("storeCpu", few, 0, 40);
    results.add("storeCpu", allCalling, 0, 50);
    results.add("storeRoundTrips", few, 0, 2);
    results.add("storeAdmissions", few, 0, 9_000);
    const lines = showReport(results, options()).split("\n");
    expect(lines.find((line) => line.includes(few))).toMatch(/40\.0 +0\.40 +2\.00 +9000$/);
    expect(lines.find((line) => line.includes("reserve-and-settle, Valkey"))).toMatch(/40\.00 +<= 80 +met/);
    expect(lines.find((line) => line.includes(`${allCalling}, x 1,000`))).toMatch(/1\.25 +<= 1\.1 +missed by 14 %/);
  });

  test("keeps a failed round as a hole and takes the median of the others", () => {
    const results = new Results();
    results.add("cpuPerEvent", "bare", 0, 10);
    results.add("cpuPerEvent", "bare", 2, 30);
    const report = JSON.parse(jsonReport(results, options(), new Date(0))) as {
      metrics: Record<string, { subjects: Record<string, unknown> }>;
    };
    expect(report.metrics["cpuPerEvent"]?.subjects).toEqual({ bare: { median: 20, rounds: [10, null, 30] } });
  });
});

describe("the command line", () => {
  test("takes proxies and measures after --only, and all of a kind that was not named", () => {
    const { proxies, measures } = options("--only", "bare", "--only", "nginx");
    expect([...proxies]).toEqual(["bare", "nginx"]);
    expect(measures.size).toBe(9);
  });

  test("refuses names and numbers that mean nothing", () => {
    expect(() => options("--only", "squid")).toThrow("squid");
    expect(() => options("--rounds", "0")).toThrow("1 to 50");
    expect(() => options("--rounds", "2.5")).toThrow("1 to 50");
    expect(() => options("--fast")).toThrow("--fast");
  });
});
