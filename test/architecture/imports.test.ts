import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../src");

/**
 * The direction of imports: a module may import its own folder and whatever stands before it, as a request's data flows.
 * `ground` are the files directly in `src/` that know of no folder.
 */
const order = [
  "ground",
  "region",
  "tenant",
  "dialect",
  "policy",
  "bundle",
  "revocation",
  "quota",
  "routing",
  "upstream",
  "ledger",
  "transparency",
  "retention",
  "exchange",
  "control",
  "whole",
  "runtime",
];

/** Files directly in `src/` that put folders together. All others there are ground. */
const composed: Readonly<Record<string, string>> = {
  "settings.ts": "exchange",
  "reply.ts": "exchange",
  "place-alarm.ts": "exchange",
  "quarantine.ts": "whole",
  "trace-exchange.ts": "exchange",
  "exchange.ts": "exchange",
  "exchange-ports.ts": "exchange",
  "under-way.ts": "exchange",
  "send.ts": "exchange",
  "close-books.ts": "exchange",
  "keep-lease.ts": "exchange",
  "subject.ts": "exchange",
  "reserve.ts": "exchange",
  "watch-callers.ts": "exchange",
  "open-exchange.ts": "exchange",
  "open-exchanges.ts": "exchange",
  "deliver.ts": "exchange",
  "lookups.ts": "exchange",
  "log-lookups.ts": "exchange",
  "turn-down.ts": "exchange",
  "routes.ts": "exchange",
  "gateway.ts": "exchange",
  "application.ts": "whole",
  "demo-tenants.ts": "whole",
  "simulated-world.ts": "whole",
};

/** The simulated region stands in for a provider: it may know the catalogue and nothing of the gateway. */
const simulatorMayImport = new Set(["ground", "region", "simulator"]);

interface Import {
  readonly from: string;
  readonly to: string;
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".generated.ts"))
    .map((entry) => relative(source, join(entry.parentPath, entry.name)));
}

function specifiers(file: string): string[] {
  const { module, errors } = parseSync(file, readFileSync(join(source, file), "utf8"));
  expect(errors, `${file} parses`).toEqual([]);
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest === null ? [] : [moduleRequest.value])),
  );
  const text = readFileSync(join(source, file), "utf8");
  const dynamic = module.dynamicImports.map(({ moduleRequest }) =>
    text.slice(moduleRequest.start, moduleRequest.end).replaceAll(/["'`]/g, ""),
  );
  return [...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...exported, ...dynamic];
}

function placeOf(file: string): string {
  const [first = "", second] = file.split("/");
  if (second === undefined) return composed[first] ?? "ground";
  return first;
}

const files = filesBelow(source);
const imports: readonly Import[] = files.flatMap((from) =>
  specifiers(from)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({ from, to: relative(source, resolve(source, dirname(from), specifier)) })),
);

describe("the direction of imports", () => {
  it("is read from every source file", () => {
    expect(files.length).toBeGreaterThan(100);
    expect(imports.length).toBeGreaterThan(300);
  });

  it("knows a place for every folder", () => {
    const places = new Set(files.map(placeOf));
    places.delete("simulator");
    expect([...places].filter((place) => !order.includes(place))).toEqual([]);
  });

  it("only points to what stands before", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (placeOf(from) === "simulator") return !simulatorMayImport.has(placeOf(to));
      if (placeOf(to) === "simulator") return placeOf(from) !== "runtime";
      return order.indexOf(placeOf(to)) > order.indexOf(placeOf(from));
    });
    expect(wrong).toEqual([]);
  });

  it("never points to a runtime, nor from one runtime to the other", () => {
    const runtimeOf = (file: string): string | undefined => /^runtime\/(node|worker)\//.exec(file)?.[1];
    const wrong = imports.filter(({ from, to }) => {
      const target = runtimeOf(to);
      return target !== undefined && target !== runtimeOf(from);
    });
    // The build step of the Worker runs on Node, and reads the folder as the Node runtime does.
    expect(wrong.filter(({ from }) => !from.endsWith("bundle-regions.ts"))).toEqual([]);
  });

  it("leaves Node out of the core", () => {
    const wrong = files
      .filter((file) => placeOf(file) !== "runtime")
      .flatMap((file) =>
        specifiers(file)
          .filter((specifier) => /^(node:|undici|@hono\/node-server|@opentelemetry\/sdk)/.test(specifier))
          .map((specifier) => `${file}: ${specifier}`),
      );
    expect(wrong).toEqual([]);
  });

  it("lets nothing but upstream/ send to an upstream, and nothing but authorise make a permit", () => {
    const senders = imports.filter(({ from, to }) => to === "upstream/attempt.ts" && placeOf(from) !== "upstream");
    expect(senders.map(({ from }) => from).filter((from) => !["exchange.ts", "settings.ts"].includes(from))).toEqual([]);
  });
});
