/** What is measured, in the order of the table. */
export interface Metric {
  readonly title: string;
  readonly unit: string;
  /** Digits after the point. */
  readonly digits: number;
  /** Whether one proxy's figure divided by another's means anything; a difference near zero divided by another one does not. */
  readonly comparable: boolean;
}

export type MetricName =
  | "cpuPerRequest"
  | "throughput"
  | "addedP50"
  | "addedP99"
  | "firstByte"
  | "cpuPerEvent"
  | "memoryPerStream"
  | "flatness"
  | "storeCpu"
  | "storeAdmissions"
  | "storeRoundTrips"
  | "authorise"
  | "receipts";

export const metrics: Readonly<Record<MetricName, Metric>> = {
  cpuPerRequest: { title: "CPU a request", unit: "µs", digits: 0, comparable: true },
  throughput: { title: "requests a second, closed loop", unit: "1/s", digits: 0, comparable: true },
  addedP50: { title: "latency added at half load, p50", unit: "ms", digits: 2, comparable: false },
  addedP99: { title: "latency added at half load, p99", unit: "ms", digits: 2, comparable: false },
  firstByte: { title: "first byte of a stream later by, p50", unit: "ms", digits: 2, comparable: false },
  cpuPerEvent: { title: "CPU a streamed event", unit: "µs", digits: 1, comparable: true },
  memoryPerStream: { title: "memory an open idle stream", unit: "KB", digits: 1, comparable: true },
  flatness: { title: "CPU a request, by size", unit: "µs", digits: 0, comparable: true },
  storeCpu: { title: "CPU a reserve-and-settle, by store", unit: "µs", digits: 1, comparable: true },
  storeAdmissions: { title: "admissions a second of one process, by store", unit: "1/s", digits: 0, comparable: true },
  authorise: { title: "CPU a decision, 500 deployments x 200 rules", unit: "µs", digits: 2, comparable: false },
  receipts: { title: "CPU a request for receipt and tree", unit: "µs", digits: 1, comparable: false },
  storeRoundTrips: { title: "round trips a request, by store", unit: "", digits: 2, comparable: false },
};
