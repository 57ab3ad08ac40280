import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { percentile } from "../../../bench/statistics.ts";
import type { Bound, Table } from "../drill.ts";
import { drillRequest } from "./drill-request.ts";
import { openStream, type OpenStream } from "./open-stream.ts";

export const probeEveryMs = 100;
/** So many streams are asked for at a time. */
const wave = 50;

/** The clients of several gateways, taken in turns. */
export class Crowd {
  readonly #urls: readonly string[];
  readonly #model: string;
  readonly #patienceMs: number;
  readonly #agent: Agent;

  constructor(urls: readonly string[], model: string, patienceMs: number) {
    this.#urls = urls;
    this.#model = model;
    this.#patienceMs = patienceMs;
    this.#agent = new Agent({ connections: null, bodyTimeout: patienceMs, headersTimeout: patienceMs });
  }

  /** Asks the gateway whose turn this number is. */
  stream(name: string, key: string, number: number): OpenStream {
    const url = this.#urls[number % this.#urls.length] ?? "";
    return openStream(this.#agent, url, key, this.#model, drillRequest(name, number));
  }

  /** Resolves once `count` streams have begun; those refused meanwhile, after a store came back, are asked for again. */
  async open(count: number, name: string, key: string): Promise<readonly OpenStream[]> {
    const open: OpenStream[] = [];
    const untilMs = performance.now() + this.#patienceMs;
    let number = 0;
    while (performance.now() < untilMs) {
      const running = open.filter(({ endedMs }) => endedMs === undefined);
      if (running.length === count && running.every(({ lastContentMs }) => lastContentMs !== undefined)) return running;
      for (let missing = Math.min(count - running.length, wave); missing > 0; missing -= 1) {
        open.push(this.stream(name, key, number));
        number += 1;
      }
      await delay(50);
    }
    throw new Error(`${name}: ${count} streams could not be opened: ${open.at(-1)?.tail ?? ""}`);
  }

  /** Asks every gateway again and again. */
  async probe(name: string, key: string, forMs: number): Promise<readonly OpenStream[]> {
    const probes: OpenStream[] = [];
    for (const untilMs = performance.now() + forMs; performance.now() < untilMs; await delay(probeEveryMs))
      for (let turn = 0; turn < this.#urls.length; turn += 1) probes.push(this.stream(name, key, turn));
    return probes;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** How long after this instant the last request was sent that was admitted, in milliseconds; 0 where none was. */
export function lastAdmitted(probes: readonly OpenStream[], sinceMs: number): number {
  return Math.max(0, ...probes.filter(({ status }) => status === 200).map(({ beganMs }) => beganMs - sinceMs));
}

/** What became of open streams when something was ordered; times in milliseconds since the order. */
export interface Cutting {
  readonly title: string;
  readonly streams: number;
  /** Those that ended with the error event. */
  readonly cut: number;
  readonly lastContentMs: readonly number[];
  readonly endMs: readonly number[];
  readonly admittedMs: number;
  /** How many gateways acknowledged it, of how many. */
  readonly acknowledged: number;
  readonly gateways: number;
}

/** Waits until all streams are over, `atMostMs` at the longest, and says when they were; `code` is that of the error event. */
export async function cuttingOf(
  open: readonly OpenStream[],
  probes: readonly OpenStream[],
  orderedAtMs: number,
  atMostMs: number,
  code: "revoked" | "quarantined" = "revoked",
): Promise<Pick<Cutting, "streams" | "cut" | "lastContentMs" | "endMs" | "admittedMs">> {
  await Promise.race([Promise.all([...open, ...probes].map(({ over }) => over)), delay(atMostMs)]);
  const since = (atMs: number | undefined): number => (atMs ?? Number.POSITIVE_INFINITY) - orderedAtMs;
  return {
    streams: open.length,
    cut: open.filter(({ tail }) => tail.includes(`"code":"${code}"`)).length,
    lastContentMs: open.map(({ lastContentMs }) => since(lastContentMs)),
    endMs: open.map(({ endedMs }) => since(endedMs)),
    admittedMs: lastAdmitted(probes, orderedAtMs),
  };
}

export function boundsOf(cuttings: readonly Cutting[], boundMs: number): readonly Bound[] {
  return cuttings.flatMap((one): Bound[] => [
    { title: `${one.title}: streams not cut with an error event`, is: one.streams - one.cut, atMost: 0 },
    { title: `${one.title}: p99 from the order to the last content, ms`, is: p99(one.lastContentMs), atMost: boundMs },
    { title: `${one.title}: p99 from the order to the error event, ms`, is: p99(one.endMs), atMost: boundMs },
    { title: `${one.title}: last request admitted after the order, ms`, is: one.admittedMs, atMost: boundMs },
    { title: `${one.title}: gateways that did not acknowledge`, is: one.gateways - one.acknowledged, atMost: 0 },
  ]);
}

export function tableOf(cuttings: readonly Cutting[]): Table {
  const columns = [
    "",
    "streams cut",
    "last content p50",
    "p99",
    "error event p50",
    "p99",
    "last",
    "last admitted",
    "acknowledged",
  ];
  return {
    title: "from the order, in milliseconds",
    columns,
    rows: cuttings.map((one) => [
      one.title,
      one.cut,
      whole(percentile(one.lastContentMs, 0.5)),
      whole(p99(one.lastContentMs)),
      whole(percentile(one.endMs, 0.5)),
      whole(p99(one.endMs)),
      whole(Math.max(...one.endMs)),
      whole(one.admittedMs),
      one.acknowledged,
    ]),
  };
}

export function whole(ms: number): string {
  return Number.isFinite(ms) ? ms.toFixed(0) : "none";
}

function p99(values: readonly number[]): number {
  return percentile(values, 0.99);
}
