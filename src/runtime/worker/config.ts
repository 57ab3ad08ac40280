import type { Settings } from "../../settings.ts";
import { readSettings } from "../read-settings.ts";
import type { Variables } from "./variables.ts";

export interface Config {
  /** Every region is answered by the simulator. */
  readonly demo: boolean;
  /** A simulator outside this Worker, on loopback, in place of the one inside. For tests that set its faults. */
  readonly simulatorUrl: string | undefined;
  readonly operatorKey: string | undefined;
  /** The key set that a policy bundle must be signed by; without one the bundled policy.toml holds. */
  readonly policyKeys: string | undefined;
  /** What seals the secrets in the directory, the newest first. */
  readonly secretKeys: readonly Uint8Array[];
  readonly settings: Settings;
}

export type ConfigRead =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Thrown where the gateway cannot start as it is configured; the message says what to change. */
export class NotConfigured extends Error {
  override readonly name = "NotConfigured";
}

/** Known to everybody, so that `wrangler dev` needs no set-up; works in demonstration mode on loopback and nowhere else. */
export const demoOperatorKey = "sk-operator-demonstration-only";

const shortestOperatorKey = 24;

/** Reads variables and secrets; all that is wrong with them at once. */
export function readConfig(variables: Variables): ConfigRead {
  const problems: string[] = [];
  const read = readSettings(variables);
  if (!read.ok) problems.push(...read.problems);
  const demoText = variables["STRAIT_DEMO"] || "false";
  if (demoText !== "true" && demoText !== "false") problems.push('STRAIT_DEMO must be "true" or "false"');
  const demo = demoText === "true";
  const operatorKey = variables["STRAIT_OPERATOR_KEY"] || undefined;
  if (operatorKey !== undefined && operatorKey.length < shortestOperatorKey) {
    problems.push(`STRAIT_OPERATOR_KEY must have at least ${shortestOperatorKey} characters`);
  }
  if (operatorKey === demoOperatorKey)
    problems.push("STRAIT_OPERATOR_KEY is the demonstration's, which everybody knows: choose a secret of your own");
  if ((variables["STRAIT_AUDIT"] || "block") !== "block")
    problems.push(
      'STRAIT_AUDIT must be "block" in a Worker, or unset: nothing is buffered there, for an isolate may end at any time',
    );
  const policyKeys = variables["STRAIT_POLICY_KEYS"] || undefined;
  const simulatorUrl = variables["STRAIT_SIMULATOR_URL"] || undefined;
  if (simulatorUrl !== undefined && !(URL.canParse(simulatorUrl) && isLoopback(new URL(simulatorUrl)))) {
    problems.push("STRAIT_SIMULATOR_URL must be a URL on loopback");
  }
  if (!read.ok || problems.length > 0) return { ok: false, problems };
  const { secretKeys, settings } = read;
  return { ok: true, config: Object.freeze({ demo, simulatorUrl, operatorKey, policyKeys, secretKeys, settings }) };
}

/** Whether a request came to this machine itself. On Cloudflare's network no request ever says so. */
export function isLoopback(url: URL): boolean {
  return url.hostname === "127.0.0.1" || url.hostname === "localhost" || url.hostname === "[::1]";
}
