import { createHash, randomBytes } from "node:crypto";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Clock, Entropy, Sha256 } from "../../src/clock.ts";
import { createControl } from "../../src/control/create-control.ts";
import type { ControlPorts } from "../../src/control/create-control.ts";
import type { Catalogue, Model } from "../../src/region/catalogue.ts";
import { shadowOf } from "../bundle/shadow-fixture.ts";
import { createSecretBox } from "../../src/secret-box.ts";
import { Health } from "../../src/routing/health.ts";
import { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import { openPolicy } from "../support/permits.ts";
import { loneRevocations } from "../support/lone-revocations.ts";
import { MemoryDirectory } from "./memory-directory.ts";

export const operatorKey = "operator-key-for-tests";
/** What every step of the onboarding must be explained by. */
export const decided = { evidence: "doc-1", reason: "as told", by: "compliance desk" } as const;
export const sha256: Sha256 = (text) => createHash("sha256").update(text).digest();
export const entropy: Entropy = { bytes: (count) => randomBytes(count) };

export interface TestClock extends Clock {
  ms: number;
}

export function testClock(): TestClock {
  return {
    ms: Date.parse("2026-11-23T12:00:00Z"),
    nowMs(): number {
      return this.ms;
    },
    after: () => () => undefined,
  };
}

function model(id: string, tier: string, aliases: readonly string[]): Model {
  const price = {
    inputMicroUsdPerMillion: 1,
    cachedInputMicroUsdPerMillion: 1,
    cacheWriteMicroUsdPerMillion: 1,
    outputMicroUsdPerMillion: 1,
  };
  const limits = { contextTokens: 200_000, maxOutputTokens: 16_000, createdAt: 1_700_000_000 };
  return { id, aliases, displayName: id, maker: "maker", tier, ...limits, weightsNotIn: new Set(), price };
}

export const catalogue: Catalogue = (() => {
  const models = [
    model("gpt-5", "frontier", ["gpt-5-latest"]),
    model("gpt-4.1-mini", "standard", []),
    model("claude-opus", "frontier", []),
  ];
  const modelNames = new Map(
    models.flatMap((each) => [each.id, ...each.aliases].map((name): [string, string] => [name, each.id])),
  );
  const none = new Map<string, never>();
  return {
    digest: "digest",
    models: new Map(models.map((each) => [each.id, each])),
    modelNames,
    regions: none,
    deployments: none,
    deploymentsByModel: none,
  };
})();

const shelf = new PolicyShelf(
  { file: "regions/policy.toml", world: { catalogue, policy: openPolicy }, signed: undefined, keyId: undefined },
  [],
  [],
);

export interface LoggedLine {
  level: string;
  message: string;
  fields: unknown;
}

export interface Fixture {
  app: OpenAPIHono;
  ports: ControlPorts;
  directory: MemoryDirectory;
  clock: TestClock;
  logged: LoggedLine[];
  /** A call with the operator key; a body goes as JSON. */
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // The tests say what they expect of a document by comparing it, so it is read loosely.
  json: Document;
}

export type Document = { [name: string]: Document } & { [index: number]: Document } & string & number & null;

export function control(overrides: Partial<ControlPorts> = {}): Fixture {
  const directory = new MemoryDirectory();
  const clock = testClock();
  const logged: LoggedLine[] = [];
  const line = (level: string) => (message: string, fields: unknown) => void logged.push({ level, message, fields });
  const log = { info: line("info"), warn: line("warn"), error: line("error") };
  const operatorKeyDigest = createHash("sha256").update(operatorKey).digest("hex");
  const ports: ControlPorts = {
    directory,
    clock,
    entropy,
    sha256,
    secretBox: createSecretBox([], entropy),
    operatorKeyDigest,
    catalogue: () => catalogue,
    policies: () => shelf,
    health: new Health(),
    credentials: () => "secret",
    shadow: shadowOf(() => undefined),
    log,
    orders: loneRevocations(clock),
    ...overrides,
  };
  const app = createControl(ports);
  const call: Fixture["call"] = async (method, path, body, headers = {}) => {
    const response = await app.request(`/control/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operatorKey}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: (text === "" ? null : JSON.parse(text)) as Document,
    };
  };
  return { app, ports, directory, clock, logged, call };
}
