import type { Bound, Drill, Table } from "./drill.ts";
import { replayTrace, type Replayed } from "./replay/replay-trace.ts";
import { proseSettings, simulatedSettings, type ReplaySetting } from "./replay/settings.ts";
import { readTrace, type Trace } from "./replay/trace.ts";

/** One tenant alone, as in the simulation, and many among whom the same requests are dealt out. */
const tenancies = [1, 16] as const;

/** How far a recorded trace may be from the simulation's figures, in tenths of a per cent. */
const apartPermille = 10;

/** How much faster than the traces were recorded, at the least. */
const leastSpeed = 60;

interface Row extends Replayed {
  readonly trace: Trace;
  readonly tenants: number;
  readonly setting: ReplaySetting;
}

export const replay: Drill = {
  name: "replay",
  summary: "the Azure traces in virtual time: what each setting refuses, and whether held, settled and served stay one",
  needs: [],
  async run({ tracesDir, children, say }) {
    const traces = [readTrace("code", tracesDir), readTrace("conv", tracesDir)];
    const rows: Row[] = [];
    const beganMs = performance.now();
    let replayedMs = 0;
    for (const trace of traces) {
      for (const tenants of tenancies) {
        for (const setting of [...simulatedSettings, ...proseSettings]) {
          say(`${trace.name}, ${tenants} tenants: ${setting.title}`);
          rows.push({ trace, tenants, setting, ...replayTrace(trace.requests, tenants, setting, children.scratch()) });
          replayedMs += trace.requests.at(-1)?.atMs ?? 0;
          // A run of seconds without a turn of the event loop would leave signals unheard.
          await new Promise(setImmediate);
        }
      }
    }
    const speed = replayedMs / (performance.now() - beganMs);
    return {
      tables: [refusals(rows), tokens(rows)],
      bounds: bounds(rows, speed),
      notes: [
        ...traces.map(originOf),
        "limit 1.2 x mean of each tenant, max_tokens 4096, bucket of a minute, an answer takes 50 ms and 20 ms a token",
        `virtual time, ${Math.round(speed)} x as fast as recorded`,
      ],
    };
  },
};

function refusals(rows: readonly Row[]): Table {
  return {
    title: "refused",
    columns: ["trace", "setting", "tenants", "sent", "refused", "refused %", "simulated %"],
    rows: rows.map((row) => {
      const simulated = simulatedPermille(row);
      return [
        row.trace.name,
        row.setting.title,
        row.tenants,
        row.sent,
        row.refused,
        (permille(row) / 10).toFixed(1),
        simulated === undefined ? "" : (simulated / 10).toFixed(1),
      ];
    }),
  };
}

function tokens(rows: readonly Row[]): Table {
  return {
    title: "tokens of what was admitted",
    columns: ["trace", "setting", "tenants", "held", "served", "settled", "in the journal", "by the limits", "still held"],
    rows: rows.map((row) => [
      row.trace.name,
      row.setting.title,
      row.tenants,
      row.heldTokens,
      row.servedTokens,
      row.chargedTokens,
      row.journalTokens,
      row.countedTokens,
      row.leftTokens,
    ]),
  };
}

function bounds(rows: readonly Row[], speed: number): readonly Bound[] {
  const all: Bound[] = [
    { title: "admissions that passed a limit", is: sum(rows, (row) => row.over), atMost: 0 },
    { title: "tokens by which settled, journal and limits differ", is: sum(rows, driftOf), atMost: 0 },
    { title: "tokens still held at the end", is: sum(rows, (row) => row.leftTokens), atMost: 0 },
    { title: "settings that refuse more than the cheaper one before", is: disorder(rows), atMost: 0 },
    { title: "seconds for an hour of trace", is: Math.round(3_600 / speed), atMost: 3_600 / leastSpeed },
  ];
  const apart = rows.flatMap((row) => {
    const simulated = row.trace.origin === "recorded" ? simulatedPermille(row) : undefined;
    return simulated === undefined ? [] : [Math.abs(permille(row) - simulated)];
  });
  if (apart.length > 0)
    all.push({ title: "refusals away from the simulation, tenths of a per cent", is: Math.max(...apart), atMost: apartPermille });
  return all;
}

/** Where nothing is settled, the hold is the charge, and what was served is no part of the sum. */
function driftOf({ setting, chargedTokens, servedTokens, journalTokens, countedTokens, heldTokens }: Row): number {
  const due = setting.settles ? servedTokens : heldTokens;
  return Math.abs(chargedTokens - due) + Math.abs(chargedTokens - journalTokens) + Math.abs(chargedTokens - countedTokens);
}

function disorder(rows: readonly Row[]): number {
  const alone = rows.filter((row) => row.tenants === 1 && simulatedSettings.includes(row.setting));
  return alone.filter((row, index) => {
    const before = alone[index - 1];
    return before !== undefined && before.trace === row.trace && row.refused > before.refused;
  }).length;
}

/** Of one tenant alone: the simulation knew no other. */
function simulatedPermille({ tenants, setting, trace }: Row): number | undefined {
  return tenants === 1 ? setting.simulatedPermille[trace.name] : undefined;
}

function permille({ refused, sent }: Row): number {
  return Math.round((refused * 1_000) / sent);
}

function sum(rows: readonly Row[], of: (row: Row) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}

function originOf({ name, origin, requests }: Trace): string {
  return origin === "recorded"
    ? `${name}: ${requests.length} requests of the Azure LLM inference trace 2023 (CC BY 4.0, Splitwise, ISCA 2024)`
    : `${name}: ${requests.length} made-up requests with the statistics of the Azure trace; --traces DIR replays the trace itself`;
}
