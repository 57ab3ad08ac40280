import type { TestTenant } from "../../blackbox/harness/operator.ts";
import type { Gateway } from "../harness/gateway.ts";
import { promptMark } from "./hostile-place.ts";

const prompt = `${promptMark} `.repeat(100);

export interface Told {
  readonly status: number;
  /** The answer's, as the client was given it; `undefined` where it has none. */
  readonly id: string | undefined;
}

/** A tenant that may be served from this country alone. */
export function tenantOf(gateway: Gateway, country: string): Promise<TestTenant> {
  return gateway.operator.addTenant({ country: "SG", tiers: ["standard"], allowCountries: [country] });
}

/** Sends one prompt. */
export async function ask(
  gateway: Gateway,
  key: string,
  path: "chat/completions" | "responses" = "chat/completions",
  extra: Readonly<Record<string, unknown>> = {},
): Promise<Told> {
  const input = path === "responses" ? { input: prompt } : { messages: [{ role: "user", content: prompt }] };
  const answer = await fetch(`${gateway.url}/v1/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-a", max_completion_tokens: 20, ...input, ...extra }),
  });
  const { id } = (await answer.json()) as { readonly id?: string };
  return { status: answer.status, id };
}

/** So many prompts at once; how many of them were answered. */
export async function askAtOnce(gateway: Gateway, key: string, count: number): Promise<number> {
  const told = await Promise.all(Array.from({ length: count }, () => ask(gateway, key)));
  return told.filter(({ status }) => status === 200).length;
}
