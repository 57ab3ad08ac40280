import type { SimulatedAnswer, SimulatedCall } from "./call.ts";
import { parseFaults, type Fault } from "./faults.ts";
import type { RegionStats } from "./stats.ts";

/** One region as its control paths see it. */
export interface Controlled {
  stats(): RegionStats;
  setFaults(faults: readonly Fault[]): void;
}

/**
 * The paths by which a test in another process drives a region and reads what it saw: `PUT` and `DELETE _faults`,
 * `GET _stats`. `undefined` where the path is none of these. They ask for no key: a simulation is served on loopback only.
 */
export async function controlAnswer(region: Controlled, call: SimulatedCall, path: string): Promise<SimulatedAnswer | undefined> {
  if (path === "/_stats") return call.method === "GET" ? jsonAnswer(200, region.stats()) : notAllowed("GET");
  if (path !== "/_faults") return undefined;
  if (call.method === "DELETE") return setFaults(region, []);
  if (call.method !== "PUT") return notAllowed("PUT, DELETE");
  const parsed = parseFaults(parseJson(await call.text()));
  return parsed.ok ? setFaults(region, parsed.faults) : jsonAnswer(400, { error: { message: parsed.problem } });
}

export function jsonAnswer(status: number, value: unknown, extraHeaders: readonly string[] = []): SimulatedAnswer {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return { status, headers: ["content-type", "application/json", "content-length", String(body.length), ...extraHeaders], body };
}

function setFaults(region: Controlled, faults: readonly Fault[]): SimulatedAnswer {
  region.setFaults(faults);
  return jsonAnswer(200, { faults });
}

function notAllowed(allow: string): SimulatedAnswer {
  return jsonAnswer(405, { error: { message: `Use ${allow} here.` } }, ["allow", allow]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
