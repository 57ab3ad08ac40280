import type { MetricName } from "./metrics.ts";
import type { Results } from "./results.ts";

/** The gateway in several sizes: the names under which they are measured. */
export const sizeNames = {
  smallest: "10 tenants, 5 deployments",
  manyTenants: "100,000 tenants, 10 calling",
  allCalling: "100,000 tenants, all calling",
  manyDeployments: "500 deployments, 10 tenants",
} as const;

/** The stores in two sizes; of a million tenants, a thousand call or all of them. */
export const storeNames = {
  sqlite: {
    few: "SQLite, 1,000 tenants",
    fewCalling: "SQLite, 1,000,000 tenants, 1,000 calling",
    allCalling: "SQLite, 1,000,000 tenants, all calling",
  },
  valkey: {
    few: "Valkey, 1,000 tenants",
    fewCalling: "Valkey, 1,000,000 tenants, 1,000 calling",
    allCalling: "Valkey, 1,000,000 tenants, all calling",
  },
} as const;

/** Decisions: of a request like an earlier one, of a tenant's first request, and of the first under a new policy. */
export const authoriseNames = {
  remembered: "decided before",
  tenants: "a tenant's first",
  places: "of one with countries of its own choice",
  refused: "of one that is refused",
  first: "a policy's first",
} as const;

/** The same of another checkout. */
export function beside(name: string): string {
  return `${name}, beside`;
}

/** What receipts and their log add to a request. */
export const receiptNames = {
  canonical: "canonical JSON, over plain",
  digests: "keyed digests, 1 KB in and out",
  tree: "tree and signatures",
  all: "all of it",
} as const;

/** What the gateway aims at, at most. Without `base` the figure itself counts, with it the ratio to that subject's. */
interface Target {
  readonly title: string;
  readonly metric: MetricName;
  readonly subject: string;
  readonly base?: string;
  readonly atMost: number;
}

export const targets: readonly Target[] = [
  { title: "CPU a request, x bare", metric: "cpuPerRequest", subject: "strait", base: "bare", atMost: 1.8 },
  { title: "CPU a request, x Portkey", metric: "cpuPerRequest", subject: "strait", base: "portkey", atMost: 0.35 },
  { title: "CPU a streamed event, x bare", metric: "cpuPerEvent", subject: "strait", base: "bare", atMost: 1.3 },
  { title: "KB an open idle stream", metric: "memoryPerStream", subject: "strait", atMost: 60 },
  {
    title: "CPU a request, 100,000 tenants x 10",
    metric: "flatness",
    subject: sizeNames.manyTenants,
    base: sizeNames.smallest,
    atMost: 1.1,
  },
  {
    title: "the same with all of them calling",
    metric: "flatness",
    subject: sizeNames.allCalling,
    base: sizeNames.smallest,
    atMost: 1.1,
  },
  {
    title: "CPU a request, 500 deployments x 5",
    metric: "flatness",
    subject: sizeNames.manyDeployments,
    base: sizeNames.smallest,
    atMost: 1.1,
  },
  { title: "µs a tenant's first decision, 500 x 200", metric: "authorise", subject: authoriseNames.tenants, atMost: 20 },
  { title: "µs a request for receipt and tree", metric: "receipts", subject: receiptNames.all, atMost: 15 },
  { title: "µs a reserve-and-settle, SQLite", metric: "storeCpu", subject: storeNames.sqlite.few, atMost: 25 },
  { title: "µs a reserve-and-settle, Valkey", metric: "storeCpu", subject: storeNames.valkey.few, atMost: 80 },
  ...Object.values(storeNames).flatMap(({ few, fewCalling, allCalling }) =>
    [fewCalling, allCalling].map((subject) => ({
      title: `${subject}, x 1,000`,
      metric: "storeCpu" as const,
      subject,
      base: few,
      atMost: 1.1,
    })),
  ),
];

export interface Verdict {
  readonly title: string;
  readonly atMost: number;
  /** Undefined where it was not measured. */
  readonly is: number | undefined;
  readonly met: boolean | undefined;
}

export function verdicts(results: Results): readonly Verdict[] {
  return targets.map(({ title, metric, subject, base, atMost }) => {
    const is = base === undefined ? results.median(metric, subject) : results.ratio(metric, subject, base);
    return { title, atMost, is, met: is === undefined ? undefined : is <= atMost };
  });
}
