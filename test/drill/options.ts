import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Drill } from "./drill.ts";

export interface Options {
  readonly drills: readonly Drill[];
  readonly json: boolean;
  /** How long faults go on; `undefined`: as each drill does by itself. */
  readonly minutes: number | undefined;
  readonly tracesDir: string;
}

/** Beside the repository, where development data lies; never a copy in it. */
const defaultTracesDir = join(import.meta.dirname, "../../../shared/data/traces");

/** A command line that asks for nothing that there is. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function help(drills: readonly Drill[]): string {
  return `npm run drill -- NAME… [options]

Runs a fault for real, on loopback, against real servers; prints what was sent, admitted, settled, lost and over, and
fails where a bound does. "all" runs every drill, one after the other.

${drills.map(({ name, summary }) => `  ${name.padEnd(17)}${summary}`).join("\n")}

  --minutes N     let the faults go on for N minutes instead of some seconds
  --traces DIR    replay: the folder of the Azure LLM inference traces (default ../shared/data/traces); where its files are
                  absent, traces with the same statistics are made up
  --json          print the tables and bounds as JSON
  --help          this text

Exit codes: 0 every bound holds, 1 one does not, 2 usage, or a server that is not installed.
`;
}

/** What a command line asks for; `undefined` asks for help. */
export function readOptions(commandLine: readonly string[], drills: readonly Drill[]): Options | undefined {
  const { values, positionals } = parsed(commandLine);
  if (values.help) return undefined;
  if (positionals.length === 0) throw new UsageError("Name a drill, or all; see --help.");
  const unknown = positionals.filter((name) => name !== "all" && !drills.some((drill) => drill.name === name));
  if (unknown.length > 0) throw new UsageError(`There is no drill ${unknown.join(", ")}; see --help.`);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (minutes !== undefined && !(minutes > 0 && minutes <= 1_440))
    throw new UsageError("--minutes takes a number from 0 to 1440.");
  return {
    drills: positionals.includes("all") ? drills : drills.filter((drill) => positionals.includes(drill.name)),
    json: values.json,
    minutes,
    tracesDir: values.traces ?? defaultTracesDir,
  };
}

function parsed(commandLine: readonly string[]) {
  try {
    return parseArgs({
      args: [...commandLine],
      allowPositionals: true,
      options: {
        minutes: { type: "string" },
        traces: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
