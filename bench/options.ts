import { parseArgs } from "node:util";
import { full, quick } from "./settings.ts";
import type { Settings } from "./settings.ts";

export interface Options {
  readonly settings: Settings;
  readonly quick: boolean;
  readonly profileDirectory: string | undefined;
  readonly jsonFile: string | undefined;
  /** A checkout whose gateway is measured as well. */
  readonly besideDirectory: string | undefined;
  readonly proxies: ReadonlySet<string>;
  readonly measures: ReadonlySet<string>;
}

export const proxyNames: readonly string[] = ["bare", "strait", "portkey", "haproxy", "nginx"];
export const measureNames: readonly string[] = [
  "cpu",
  "flatness",
  "latency",
  "first-byte",
  "stream",
  "memory",
  "stores",
  "authorise",
  "receipts",
];

export const help: string = `npm run bench -- [options]

Measures the gateway beside a bare Node pass-through, Portkey's gateway, HAProxy and nginx, all on loopback, in turns
within one run, and shows the medians. Only the ratios mean something, and only within one run.

  --only NAME     measure only this; may be given several times
                  proxies:  ${proxyNames.join(", ")}
                  measures: ${measureNames.join(", ")}
  --rounds N      how often each measurement is taken (default ${full.rounds}; quick ${quick.rounds})
  --quick         a rough look in two minutes instead of nine
  --beside DIR    measure the gateway and the decisions of another checkout in the same turns: what a change cost
  --json FILE     write every round's figures and the targets to FILE
  --profile DIR   write a CPU profile of each proxy that runs on Node to DIR; profiling costs time, so mind the figures
  --help          this text
`;

/** Everything that is wrong with a command line, or what it asks for. `undefined` asks for help. */
export function readOptions(commandLine: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...commandLine],
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      profile: { type: "string" },
      json: { type: "string" },
      beside: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const unknown = values.only.filter((name) => !proxyNames.includes(name) && !measureNames.includes(name));
  if (unknown.length > 0) throw new TypeError(`--only ${unknown.join(", ")}: not a proxy or a measure; see --help`);
  const base = values.quick ? quick : full;
  const rounds = values.rounds === undefined ? base.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new TypeError("--rounds takes a whole number from 1 to 50");
  const longer = Math.max(1, rounds / base.rounds);
  const memoryRounds = values.rounds === undefined ? base.memoryRounds : rounds;
  return {
    settings: { ...base, rounds, memoryRounds, deadlineMs: base.deadlineMs * longer },
    quick: values.quick,
    profileDirectory: values.profile,
    jsonFile: values.json,
    besideDirectory: values.beside,
    proxies: chosen(proxyNames, values.only),
    measures: chosen(measureNames, values.only),
  };
}

/** Those that were named, or all where none of this kind was. */
function chosen(all: readonly string[], named: readonly string[]): ReadonlySet<string> {
  const some = all.filter((name) => named.includes(name));
  return new Set(some.length === 0 ? all : some);
}
