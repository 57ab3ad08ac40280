import { readFileSync } from "node:fs";
import { readPolicyKeys, type PolicyKeysRead } from "../../bundle/policy-keys.ts";

/** `STRAIT_POLICY_KEYS`, or what stands in its place on a command line: a key set itself, or the file that holds one. */
export function policyKeysOf(setting: string): Promise<PolicyKeysRead> {
  const text = setting.trimStart().startsWith("{") ? setting : textOf(setting);
  if (text === undefined) return Promise.resolve({ ok: false, problem: `${setting} cannot be read` });
  return readPolicyKeys(text);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
