import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { Agenda } from "./replay/agenda.ts";
import { replayTrace } from "./replay/replay-trace.ts";
import { proseSettings, simulatedSettings } from "./replay/settings.ts";
import { readTrace } from "./replay/trace.ts";

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "strait-replay-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const absent = "/nowhere/traces";

test.each([
  ["code", 8_819, 57],
  ["conv", 19_366, 58],
] as const)("a made-up %s trace is as large and as long as the recorded one, in order of time", (name, count, minutes) => {
  const { origin, requests } = readTrace(name, absent);
  expect(origin).toBe("synthetic");
  expect(requests.length).toBe(count);
  const times = requests.map(({ atMs }) => atMs);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(Math.floor((times.at(-1) ?? 0) / 60_000)).toBe(minutes);
});

test("a recorded trace is read with times from its first request on", () => {
  const directory = folder();
  const lines = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2023-11-16 18:17:03.9799600,4808,10",
    "2023-11-16 18:17:04.0319600,3180,8",
  ];
  writeFileSync(join(directory, "AzureLLMInferenceTrace_code.csv"), `${lines.join("\r\n")}\r\n`);
  expect(readTrace("code", directory)).toMatchObject({
    origin: "recorded",
    requests: [
      { atMs: 0, promptTokens: 4_808, outputTokens: 10 },
      { atMs: 52, promptTokens: 3_180, outputTokens: 8 },
    ],
  });
});

test("a replay keeps what was settled, what the journal says and what the limits count equal, in every setting", () => {
  const requests = readTrace("code", absent).requests.slice(0, 600);
  for (const setting of [...simulatedSettings, ...proseSettings]) {
    const { sent, refused, over, leftTokens, chargedTokens, journalTokens, countedTokens } = replayTrace(
      requests,
      3,
      setting,
      folder(),
    );
    expect(sent).toBe(600);
    expect(refused).toBeLessThan(600);
    expect({ over, leftTokens }).toEqual({ over: 0, leftTokens: 0 });
    expect([journalTokens, countedTokens]).toEqual([chargedTokens, chargedTokens]);
  }
});

test("an agenda gives what was put in by time, and nothing before its time", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000)), fc.nat(1_000), (times, untilMs) => {
      const agenda = new Agenda<number>();
      for (const atMs of times) agenda.add(atMs, atMs);
      const taken: number[] = [];
      for (let next = agenda.takeUntil(untilMs); next !== undefined; next = agenda.takeUntil(untilMs)) taken.push(next.item);
      expect(taken).toEqual(times.filter((atMs) => atMs <= untilMs).toSorted((one, other) => one - other));
      expect(agenda.size).toBe(times.length - taken.length);
    }),
  );
});
