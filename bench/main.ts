import { writeFileSync } from "node:fs";
import type { Bench, Measure, Subject } from "./bench.ts";
import { direct } from "./bench.ts";
import { Children } from "./children.ts";
import { Generator } from "./load/generator.ts";
import { authorisation } from "./measures/authorise.ts";
import { cpu, flatness } from "./measures/cpu.ts";
import { latency } from "./measures/latency.ts";
import { memory } from "./measures/memory.ts";
import { receiptCost } from "./measures/receipts.ts";
import { stores } from "./measures/stores.ts";
import { firstByte, streamCpu } from "./measures/streams.ts";
import { help, readOptions } from "./options.ts";
import type { Options } from "./options.ts";
import { Unavailable } from "./proxy.ts";
import type { Proxy } from "./proxy.ts";
import { bare } from "./proxies/bare.ts";
import { haproxy } from "./proxies/haproxy.ts";
import { nginx } from "./proxies/nginx.ts";
import { besideOf } from "./proxies/beside.ts";
import { portkey } from "./proxies/portkey.ts";
import { strait, straitSizes } from "./proxies/strait.ts";
import { jsonReport, showReport } from "./report.ts";
import { Results } from "./results.ts";
import { reportedOrigin } from "./start.ts";
import { startStores } from "./stores/start-stores.ts";

const measures: readonly Measure[] = [cpu, flatness, latency, firstByte, streamCpu, memory, stores, authorisation, receiptCost];
/** Past the deadline by this much, something hangs. */
const graceMs = 120_000;

/** In the order in which they are measured. */
async function proxiesFor({ proxies, besideDirectory }: Options): Promise<readonly Proxy[]> {
  const beside = besideDirectory === undefined ? [] : [await besideOf(besideDirectory)];
  const all = [bare, strait, portkey, haproxy, nginx].filter(({ name }) => proxies.has(name));
  return all.flatMap((proxy) => (proxy === strait ? [strait, ...beside] : [proxy]));
}

function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}

/** Starts and warms what can be had here; says so of what cannot. */
async function startAll(bench: Bench, wanted: readonly Proxy[]): Promise<readonly Subject[]> {
  const subjects: Subject[] = [];
  for (const proxy of wanted) {
    say(`starting and warming ${proxy.name}`);
    try {
      subjects.push(await startOne(bench, proxy));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      bench.results.note(`${proxy.name} is left out: ${error.message}`);
    }
  }
  return subjects;
}

async function startOne(bench: Bench, proxy: Proxy): Promise<Subject> {
  const { children, generator, settings, upstreamOrigin } = bench;
  const running = await proxy.start({
    children,
    upstreamOrigin,
    scratch: children.scratch(),
    nodeArguments: bench.nodeArguments,
  });
  const target = proxy.name;
  await generator.run({ kind: "target", name: target, target: running.target });
  const load = { kind: "closed", target, connections: settings.connections, forMs: settings.warmUpMs } as const;
  // The last quarter, when the code is warm, shows what it can do.
  await generator.run({ ...load, atMost: settings.warmUpRequests * 0.75 });
  const warm = await generator.run({ ...load, atMost: settings.warmUpRequests * 0.25 });
  if (warm.completed === 0) throw new Unavailable(`it answers no request: ${warm.firstFailure}`);
  return { name: target, proxy, running, capacityPerSecond: (warm.completed * 1000) / warm.elapsedMs };
}

/** Calls `saved` after each round, so that a run that is cut off leaves something. */
async function measureAll(bench: Bench, chosen: readonly Measure[], saved: () => void): Promise<void> {
  const most = Math.max(...chosen.map((measure) => measure.rounds(bench.settings)));
  for (let round = 0; round < most; round += 1) {
    for (const measure of chosen) {
      if (round >= measure.rounds(bench.settings)) continue;
      // Counted from the start of the process: what starting and warming took is not there for measuring.
      if (performance.now() > bench.settings.deadlineMs) {
        bench.results.note(`the time was up in round ${round + 1} of ${most}, before ${measure.name}`);
        return;
      }
      say(`round ${round + 1} of ${most}: ${measure.name}`);
      await measure.run(bench, round);
    }
    saved();
  }
}

async function run(options: Options): Promise<void> {
  const startedAt = new Date();
  const children = new Children();
  const upstream = children.fork(new URL("upstream.ts", import.meta.url), [], {});
  const upstreamOrigin = await reportedOrigin(upstream);
  const generator = new Generator(children);
  const key = { origin: upstreamOrigin, path: "/v1/chat/completions", headers: [], keys: ["bench"], model: "bench-model" };
  await generator.run({ kind: "target", name: direct, target: key });

  const { settings, besideDirectory } = options;
  const results = new Results();
  const nodeArguments = options.profileDirectory === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", options.profileDirectory];
  const started = { subjects: [], sizes: [], stores: [] };
  const base = { nodeArguments, settings, children, generator, results, upstreamOrigin, besideDirectory, ...started };
  const chosen = measures.filter((measure) => options.measures.has(measure.name));
  const compares = chosen.some(
    (measure) => measure !== flatness && measure !== stores && measure !== authorisation && measure !== receiptCost,
  );
  const subjects = compares ? await startAll(base, await proxiesFor(options)) : [];
  const sizes = chosen.includes(flatness) && options.proxies.has("strait") ? await startAll(base, straitSizes(settings)) : [];

  if (chosen.includes(stores)) say("filling stores");
  const opened = chosen.includes(stores) ? await startStores(base) : [];

  const hanging = setTimeout(
    () => {
      say("the run hangs; giving up");
      process.exit(1);
    },
    Math.max(0, settings.deadlineMs - performance.now()) + graceMs,
  );
  const save = (): void => {
    if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, jsonReport(results, options, startedAt));
  };
  await measureAll({ ...base, subjects, sizes, stores: opened }, chosen, save);
  clearTimeout(hanging);
  process.stdout.write(showReport(results, options));
  save();
  await children.stopAll();
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(help);
  else await run(options);
  process.exit(0);
} catch (error) {
  const text =
    error instanceof TypeError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
