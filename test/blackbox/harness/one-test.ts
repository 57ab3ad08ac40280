import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, onTestFinished } from "vitest";
import { catalogue } from "./catalogue.ts";
import type { Child } from "./child.ts";
import { Operator } from "./operator.ts";
import { nodeGateway, testOperatorKey } from "./start-node.ts";
import { startUpstreams, type Upstreams } from "./upstreams.ts";

/** A folder that goes with its test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "strait-process-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A gateway's process that ends with its test. */
export function started(args: readonly string[], environment: Readonly<Record<string, string>>): Child {
  const child = nodeGateway(args, environment);
  onTestFinished(() => child.stop());
  return child;
}

/** A gateway in demonstration mode before the test's own upstreams. */
export function demo(upstreams: Upstreams, environment: Readonly<Record<string, string>>): Child {
  return started(["--demo"], { STRAIT_SIMULATOR_URL: upstreams.url, STRAIT_OPERATOR_KEY: testOperatorKey, ...environment });
}

export function operatorOf(url: string): Operator {
  return new Operator({ url, operatorKey: testOperatorKey });
}

/** Upstreams for all tests of a file; each test finds them without a fault. */
export function sharedUpstreams(): () => Upstreams {
  let upstreams: Upstreams | undefined;
  beforeAll(async () => {
    upstreams = await startUpstreams();
  });
  afterEach(() => {
    for (const id of catalogue.regions.keys()) upstreams?.faults(id, []);
  });
  afterAll(() => upstreams?.close());
  return () => {
    if (upstreams === undefined) throw new Error("the upstreams were not started");
    return upstreams;
  };
}
