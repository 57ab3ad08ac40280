import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { emptyFolder, strait } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 30_000 });

function folder(files: Record<string, string>): string {
  const directory = join(mkdtempSync(join(emptyFolder, "check-")), "regions");
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

test("a bad regions folder is told problem by problem, with file and line, and exit code 1", async () => {
  const directory = folder({
    "models.toml": "[broken\n",
    "policy.toml": "also = = broken\n",
    "japaneast.toml": 'id = "japaneast"\n',
  });
  const run = await strait(["check", directory]);
  expect([run.code, run.stdout]).toEqual([1, ""]);
  const lines = run.stderr.trimEnd().split("\n");
  for (const line of lines) expect(line).toMatch(/^regions\/[a-z]+\.toml:\d+: ./);
  expect(new Set(lines.map((line) => line.split(":")[0])).size).toBe(3);
  const machine = await strait(["check", directory, "--json"]);
  const { ok, problems } = JSON.parse(machine.stderr) as {
    ok: boolean;
    problems: { file: string; line: number; message: string }[];
  };
  expect([machine.code, ok, problems.length]).toEqual([1, false, lines.length]);
});

test("a folder that is not there is exit code 1 as well, and DIR wins over STRAIT_REGIONS_DIR", async () => {
  const run = await strait(["check", "/nonexistent"], { STRAIT_REGIONS_DIR: folder({}) });
  expect(run.code).toBe(1);
  expect(run.stderr).toContain("/nonexistent cannot be read (ENOENT)");
  expect((await strait(["check"], { STRAIT_REGIONS_DIR: "/elsewhere" })).stderr).toContain("/elsewhere cannot be read");
});
