import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exitCodeOf } from "./drill.ts";
import { showReport } from "./show-report.ts";

function drill(...args: readonly string[]): { code: number | null; output: string; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    encoding: "utf8",
  });
  return { code: status, output: stdout, errors: stderr };
}

const startMs = 30_000;

describe("the drill command", () => {
  test("explains itself, with every drill and the exit codes", { timeout: startMs }, () => {
    const { code, output } = drill("--help");
    expect(code).toBe(0);
    for (const name of ["quota-exact", "crash", "store-loss", "replay", "revocation", "revocation-edge", "residency"])
      expect(output).toContain(`  ${name}  `);
    expect(output).toContain("Exit codes: 0 every bound holds, 1 one does not, 2 usage");
  });

  test.each([
    ["a drill that there is not", ["flood"], /no drill flood/],
    ["no drill at all", [], /Name a drill/],
    ["an option that there is not", ["crash", "--fast"], /--fast/],
    ["a time that is none", ["crash", "--minutes", "soon"], /--minutes takes a number/],
  ])("refuses %s with 2 and starts nothing", { timeout: startMs }, (_what, args, said) => {
    const { code, output, errors } = drill(...args);
    expect(code).toBe(2);
    expect(output).toBe("");
    expect(errors).toMatch(said);
  });
});

describe("a drill's report", () => {
  const report = {
    tables: [{ title: "requests", columns: ["", "sent"], rows: [["SQLite", 20]] }],
    bounds: [{ title: "lost", is: 1, atMost: 0 }],
    notes: ["nothing to note"],
  };

  test("says which bound failed, and the run with it", () => {
    expect(showReport("crash", report)).toMatch(/lost +1 +0 +FAILS/);
    expect(exitCodeOf([report])).toBe(1);
  });

  test("passes where every figure is at most its bound", () => {
    const kept = { ...report, bounds: [{ title: "lost", is: 0, atMost: 0 }] };
    expect(showReport("crash", kept)).toMatch(/lost +0 +0 +holds/);
    expect(exitCodeOf([kept])).toBe(0);
    expect(exitCodeOf([kept, report])).toBe(1);
  });

  test("does not pass on a figure that was not found", () => {
    expect(exitCodeOf([{ ...report, bounds: [{ title: "lost", is: Number.NaN, atMost: 0 }] }])).toBe(1);
  });
});
