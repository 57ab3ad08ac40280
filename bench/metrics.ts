/** What is measured, in the order of the table. */
export interface Metric {
  readonly title: string;
  readonly unit: string;
  /** Digits after the point. */
  readonly digits: number;
}

export type MetricName =
  | "cpuPerRequest"
  | "throughput"
  | "addedP50"
  | "addedP99"
  | "firstByte"
  | "cpuPerEvent"
  | "memoryPerStream"
  | "flatness";

export const metrics: Readonly<Record<MetricName, Metric>> = {
  cpuPerRequest: { title: "CPU a request", unit: "µs", digits: 0 },
  throughput: { title: "requests a second, closed loop", unit: "1/s", digits: 0 },
  addedP50: { title: "latency added at half load, p50", unit: "ms", digits: 2 },
  addedP99: { title: "latency added at half load, p99", unit: "ms", digits: 2 },
  firstByte: { title: "first byte of a stream later by, p50", unit: "ms", digits: 2 },
  cpuPerEvent: { title: "CPU a streamed event", unit: "µs", digits: 1 },
  memoryPerStream: { title: "memory an open idle stream", unit: "KB", digits: 1 },
  flatness: { title: "CPU a request, by size", unit: "µs", digits: 0 },
};
