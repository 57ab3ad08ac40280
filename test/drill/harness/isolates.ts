import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "smol-toml";
import type { BenchModel } from "../../../bench/proxies/strait-regions.ts";
import { writeRegions } from "../../../bench/proxies/strait-regions.ts";
import type { Child } from "../../blackbox/harness/child.ts";
import { newLogKey } from "../../../src/runtime/node/log-key.ts";
import { Operator } from "../../blackbox/harness/operator.ts";
import { WorkerProject } from "../../blackbox/harness/worker-project.ts";

/** Memory, where there is such a folder: workerd commits in its only thread, and it is not this machine's disk that is drilled. */
const memory = "/dev/shm";

const operatorKey = "sk-operator-of-the-drills-on-loopback";

export interface IsolatesOptions {
  readonly count: number;
  /** Where every region's upstream listens. */
  readonly upstream: string;
}

/** Sends a request to the isolate that its path begins with. */
const router = `export default {
  fetch(request, isolates) {
    const url = new URL(request.url);
    const [, number, path] = /^\\/(\\d+)(\\/.*)$/.exec(url.pathname) ?? [];
    const isolate = isolates["ISOLATE" + number];
    if (isolate === undefined) return new Response("there is no such isolate", { status: 404 });
    return isolate.fetch(new Request(url.origin + path + url.search, request));
  },
};
`;

/**
 * The Worker in several isolates that share their Durable Objects, as at the edge, in one workerd: each is a Worker of its
 * own, and all but the first use the first one's objects.
 */
export class Isolates {
  /** What is served, by a model of this name. */
  readonly model: BenchModel;
  readonly #project: WorkerProject;
  readonly #child: Child;
  readonly #url: string;

  private constructor(model: BenchModel, project: WorkerProject, child: Child, url: string) {
    this.model = model;
    this.#project = project;
    this.#child = child;
    this.#url = url;
  }

  static async start({ count, upstream }: IsolatesOptions): Promise<Isolates> {
    const project = new WorkerProject(existsSync(memory) ? { storage: memory } : {});
    try {
      const regions = join(project.directory, "regions");
      rmSync(regions, { recursive: true });
      const model = writeRegions(regions, upstream, 3);
      const names = Array.from({ length: count }, (_, index) => `isolate-${index}`);
      writeRouter(project.directory, names);
      const secrets = {
        STRAIT_OPERATOR_KEY: operatorKey,
        STRAIT_LOG_KEY: JSON.stringify(newLogKey(0)),
        BENCH_UPSTREAM_KEY: "drill-upstream-key",
      };
      for (const name of names) writeConfiguration(project.directory, name, names[0] ?? name, secrets);
      const files = ["router", ...names].flatMap((name) => ["--config", `${name}.toml`]);
      const { child, url } = await project.serve(files);
      const isolates = new Isolates(model, project, child, url);
      // The first request puts each together, one after the other.
      for (const index of names.keys()) await fetch(`${isolates.url(index)}/healthz`);
      return isolates;
    } catch (error) {
      project.remove();
      throw error;
    }
  }

  url(index: number): string {
    return `${this.#url}/${index}`;
  }

  operator(index: number): Operator {
    return new Operator({ url: this.url(index), operatorKey });
  }

  /** What all of them printed. */
  get output(): string {
    return this.#child.output;
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    this.#project.remove();
  }
}

function writeRouter(directory: string, names: readonly string[]): void {
  writeFileSync(join(directory, "router.js"), router);
  const services = names.map((service, index) => ({ binding: `ISOLATE${index}`, service }));
  const configuration = {
    name: "router",
    main: "router.js",
    compatibility_date: "2026-11-01",
    // A client that goes away must be noticed behind it.
    compatibility_flags: ["enable_request_signal"],
    dev: { ip: "127.0.0.1" },
    services,
  };
  writeFileSync(join(directory, "router.toml"), stringify(configuration));
}

interface Configuration {
  readonly durable_objects: { readonly bindings: readonly object[] };
  readonly env: unknown;
  readonly migrations: unknown;
  readonly services: unknown;
}

/** The repository's own configuration, under another name, with the objects of the Worker that is called `owner`. */
function writeConfiguration(directory: string, name: string, owner: string, variables: Readonly<Record<string, string>>): void {
  const text = readFileSync(join(directory, "wrangler.toml"), "utf8");
  const { env: _production, services: _simulator, migrations, ...shared } = parse(text) as unknown as Configuration;
  const bindings = shared.durable_objects.bindings.map((binding) => ({ ...binding, script_name: owner }));
  const configuration = name === owner ? { ...shared, migrations } : { ...shared, durable_objects: { bindings } };
  const vars = { ...variables, STRAIT_DEMO: "false" };
  writeFileSync(join(directory, `${name}.toml`), stringify({ ...configuration, name, vars }));
}
