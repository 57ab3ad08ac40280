import { arch, cpus, platform, release } from "node:os";
import { metrics } from "./metrics.ts";
import type { MetricName } from "./metrics.ts";
import { proxyNames } from "./options.ts";
import type { Options } from "./options.ts";
import type { Results } from "./results.ts";
import { spread } from "./statistics.ts";
import { authoriseNames, beside, receiptNames, sizeNames, storeNames, verdicts } from "./targets.ts";
import type { Verdict } from "./targets.ts";

const metricNames = Object.keys(metrics) as MetricName[];
/** Measured of other subjects than proxies, and shown apart. */
const apart: ReadonlySet<MetricName> = new Set([
  "flatness",
  "storeCpu",
  "storeAdmissions",
  "storeRoundTrips",
  "authorise",
  "receipts",
]);
const subjectColumn = 44;
const column = 15;

export function showReport(results: Results, options: Options): string {
  const seen = new Set(metricNames.filter((name) => !apart.has(name)).flatMap((name) => results.subjects(name)));
  const subjects = [...proxyNames, "beside"].filter((name) => seen.has(name));
  const ratios = ["bare", "beside", "portkey"].filter((name) => subjects.includes("strait") && subjects.includes(name));
  const lines = [row("", [...subjects, ...ratios.map((name) => `x ${name}`)])];
  for (const name of metricNames) {
    if (apart.has(name) || results.subjects(name).length === 0) continue;
    const { title, unit, digits, comparable } = metrics[name];
    const cells = subjects.map((subject) => number(results.median(name, subject), digits));
    const compared = ratios.map((base) => (comparable ? number(results.ratio(name, "strait", base), 2) : ""));
    lines.push(row(`${title}, ${unit}`, [...cells, ...compared]));
  }
  lines.push(
    ...sizes(results),
    ...stores(results),
    ...decisions(results),
    ...evidence(results),
    "",
    ...verdicts(results).flatMap(showVerdict),
  );
  lines.push(
    "",
    `Medians of ${roundsTaken(results)} rounds${options.quick ? ", quick: rough figures" : ""}; ${steadiness(results)}`,
  );
  lines.push(...results.notes.map((note) => `- ${note}`));
  return `${lines.join("\n")}\n`;
}

/** Not what was asked for but what was had: the time may have run out. */
function roundsTaken(results: Results): string {
  const counts = metricNames.flatMap((name) =>
    results.subjects(name).map((subject) => results.rounds(name, subject).filter((value) => value !== undefined).length),
  );
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(most) : `${least} to ${most}`;
}

function sizes(results: Results): readonly string[] {
  const seen = Object.values(sizeNames).filter((size) => results.subjects("flatness").includes(size));
  if (seen.length === 0) return [];
  const line = (size: string): string =>
    row(`  ${size}`, [
      number(results.median("flatness", size), 0),
      number(results.ratio("flatness", size, sizeNames.smallest), 2),
    ]);
  return ["", row("strait's CPU a request, by size", ["µs", "x smallest"]), ...seen.map(line)];
}

/** Beside the bare pass-through's CPU a request, where the same run measured it. */
function stores(results: Results): readonly string[] {
  const seen = results.subjects("storeCpu");
  if (seen.length === 0) return [];
  const line = (name: string): string =>
    row(`  ${name}`, [
      number(results.median("storeCpu", name), 1),
      number(ratioToBare(results, name), 2),
      number(results.median("storeRoundTrips", name), 2),
      number(results.median("storeAdmissions", name), 0),
    ]);
  const names = Object.values(storeNames).flatMap((sizes) => Object.values(sizes));
  return [
    "",
    row("a reserve-and-settle", ["µs CPU", "x bare request", "round trips", "admissions/s"]),
    ...names.filter((name) => seen.includes(name)).map(line),
  ];
}

function decisions(results: Results): readonly string[] {
  const names = Object.values(authoriseNames).filter((name) => results.subjects("authorise").includes(name));
  if (names.length === 0) return [];
  const [first] = names;
  const isBeside = first !== undefined && results.subjects("authorise").includes(beside(first));
  const shown = (name: string): string => number(results.median("authorise", name), 2);
  const line = (name: string): string => row(`  ${name}`, isBeside ? [shown(name), shown(beside(name))] : [shown(name)]);
  const head = row("a decision, 500 deployments and 200 rules", isBeside ? ["µs CPU", "beside"] : ["µs CPU"]);
  return ["", head, ...names.map(line)];
}

function evidence(results: Results): readonly string[] {
  const names = Object.values(receiptNames).filter((name) => results.subjects("receipts").includes(name));
  if (names.length === 0) return [];
  const line = (name: string): string => row(`  ${name}`, [number(results.median("receipts", name), 1)]);
  return ["", row("what receipts and their log add to a request", ["µs CPU"]), ...names.map(line)];
}

function ratioToBare(results: Results, name: string): number | undefined {
  const [store, bare] = [results.median("storeCpu", name), results.median("cpuPerRequest", "bare")];
  return store === undefined || bare === undefined ? undefined : store / bare;
}

function showVerdict({ title, atMost, is, met }: Verdict): string {
  if (is === undefined) return row(`aim: ${title}`, ["-", `<= ${atMost}`, "not measured"]);
  const far = met === true ? "met" : `missed by ${Math.round((is / atMost - 1) * 100)} %`;
  return row(`aim: ${title}`, [number(is, 2), `<= ${atMost}`, far]);
}

/** How far the rounds of the first metric lay apart: a reader's warning of a busy machine. */
function steadiness(results: Results): string {
  const apart = results
    .subjects("cpuPerRequest")
    .map((subject) => spread(results.rounds("cpuPerRequest", subject).filter((value) => value !== undefined)));
  if (apart.length === 0) return "";
  return `CPU a request varied by up to ±${Math.round(Math.max(...apart) * 100)} % between rounds.`;
}

function row(head: string, cells: readonly string[]): string {
  return (head.padEnd(subjectColumn) + cells.map((cell) => cell.padStart(column)).join("")).trimEnd();
}

function number(value: number | undefined, digits: number): string {
  return value === undefined ? "-" : value.toFixed(digits);
}

/** The same for machines: every round's value. */
export function jsonReport(results: Results, options: Options, startedAt: Date): string {
  const measured = metricNames.map((name) => {
    const bySubject = results.subjects(name).map((subject) => {
      const values = results.rounds(name, subject);
      return [subject, { median: results.median(name, subject), rounds: values.map((value) => value ?? null) }];
    });
    return [name, { ...metrics[name], subjects: Object.fromEntries(bySubject) }];
  });
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    platform: platform(),
    release: release(),
    arch: arch(),
    node: process.version,
  };
  const { settings, quick } = options;
  const report = {
    startedAt,
    endedAt: new Date(),
    machine,
    quick,
    settings,
    metrics: Object.fromEntries(measured),
    targets: verdicts(results),
    notes: results.notes,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
