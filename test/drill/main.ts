import { Children } from "../../bench/children.ts";
import { exitCodeOf, type Drill, type DrillReport } from "./drill.ts";
import { missingServers } from "./harness/servers.ts";
import { help, readOptions, UsageError, type Options } from "./options.ts";
import { replay } from "./replay.ts";
import { residency } from "./residency.ts";
import { revocation } from "./revocation.ts";
import { revocationEdge } from "./revocation-edge.ts";
import { storeLoss } from "./store-loss.ts";
import { crash } from "./crash.ts";
import { quotaExact } from "./quota-exact.ts";
import { showReport } from "./show-report.ts";

const drills: readonly Drill[] = [quotaExact, crash, storeLoss, replay, revocation, revocationEdge, residency];

/** The faults' own time, where nobody asks for more, and what starting, counting and stopping may take beside it. */
const faultMs = 20_000;
const besideMs = 40_000;

async function run({ drills: chosen, json, minutes, tracesDir }: Options): Promise<number> {
  const missing = missingServers(chosen.flatMap((drill) => drill.needs));
  if (missing.length > 0) throw new UsageError(`Not installed here: ${missing.join(", ")}.`);
  const reports: Record<string, DrillReport> = {};
  for (const drill of chosen) {
    const report = await bounded(drill, minutes === undefined ? faultMs : minutes * 60_000, tracesDir);
    reports[drill.name] = report;
    if (!json) process.stdout.write(`${showReport(drill.name, report)}\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify(reports, undefined, 2)}\n`);
  return exitCodeOf(Object.values(reports));
}

/** Ends the run where a drill takes longer than it may: what it started goes with it. */
async function bounded(drill: Drill, faultMs: number, tracesDir: string): Promise<DrillReport> {
  const beganMs = performance.now();
  const say = (text: string): void => {
    process.stderr.write(`${((performance.now() - beganMs) / 1000).toFixed(1).padStart(6)} s  ${drill.name}: ${text}\n`);
  };
  const late = setTimeout(() => {
    say("it takes longer than it may; giving up");
    process.exit(1);
  }, faultMs + besideMs);
  const children = new Children("strait-drill-");
  try {
    return await drill.run({ faultMs, tracesDir, children, say });
  } finally {
    await children.stopAll();
    clearTimeout(late);
  }
}

try {
  const options = readOptions(process.argv.slice(2), drills);
  if (options === undefined) process.stdout.write(help(drills));
  process.exit(options === undefined ? 0 : await run(options));
} catch (error) {
  const usage = error instanceof UsageError;
  process.stderr.write(`${usage ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(usage ? 2 : 1);
}
