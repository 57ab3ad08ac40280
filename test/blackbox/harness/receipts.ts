import { setTimeout as delay } from "node:timers/promises";
import type { DigestKeySet } from "../../../src/tenant/digest-key-set.ts";
import type { Receipt } from "../../../src/ledger/receipt.ts";

export async function receiptResponse(url: string, key: string, requestId: string): Promise<Response> {
  return fetch(`${url}/v1/strait/receipts/${requestId}`, { headers: { authorization: `Bearer ${key}` } });
}

/** The receipt, which must be there at once. */
export async function receiptOf(url: string, key: string, requestId: string): Promise<Receipt> {
  const response = await receiptResponse(url, key, requestId);
  if (response.status !== 200)
    throw new Error(`the receipt of ${requestId} was answered with ${response.status}: ${await response.text()}`);
  return (await response.json()) as Receipt;
}

/** The key that the tenant's receipts are digested with now, base64url. */
export async function digestKeyOf(url: string, key: string): Promise<string> {
  const response = await fetch(`${url}/v1/strait/digest-keys`, { headers: { authorization: `Bearer ${key}` } });
  const { keys } = (await response.json()) as DigestKeySet;
  return keys[0]?.k ?? "";
}

/** The receipt of an exchange that ends without its client. */
export async function receiptLater(url: string, key: string, requestId: string, withinMs: number = 5_000): Promise<Receipt> {
  return eventually(() => receiptOf(url, key, requestId), withinMs);
}

/** Tries until it does not throw, for a bounded time. */
export async function eventually<Value>(attempt: () => Value | Promise<Value>, withinMs: number = 5_000): Promise<Value> {
  const untilMs = Date.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= untilMs) throw error;
    }
    await delay(50);
  }
}
