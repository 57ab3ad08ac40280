import { Child } from "./child.ts";
import type { TestTenant } from "./operator.ts";
import { testOperatorKey } from "./start-node.ts";

/** Runs the command as the operator, and gives what it printed; throws where its exit code is not 0. */
export async function strait(...args: readonly string[]): Promise<string> {
  const child = new Child(process.execPath, ["src/runtime/node/strait.ts", ...args], {
    environment: { STRAIT_OPERATOR_KEY: testOperatorKey },
  });
  const code = await child.exited;
  if (code !== 0) throw new Error(`strait ${args.join(" ")} ended with ${code}: ${child.output}`);
  return child.output;
}

/** What a path is answered with, by the tenant's key where one is given; throws where that is a refusal. */
export async function get(url: string, path: string, tenant?: TestTenant): Promise<string> {
  const headers = tenant === undefined ? {} : { authorization: `Bearer ${tenant.key}` };
  const response = await fetch(`${url}${path}`, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path} was answered with ${response.status}: ${text}`);
  return text;
}
