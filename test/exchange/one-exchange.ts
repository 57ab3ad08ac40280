/** What tests of single exchanges send, are answered, and hold them against. */
import { expect } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import type { Asked, Gate } from "./gate.ts";

export const limit = (
  parts: Partial<LimitSetting> & Pick<LimitSetting, "name" | "unit" | "window" | "ceiling">,
): LimitSetting => ({
  burst: undefined,
  key: undefined,
  model: undefined,
  ...parts,
});
export const concurrent: LimitSetting = limit({ name: "at-once", unit: "concurrent", window: "open", ceiling: 5 });
export const daily: LimitSetting = limit({ name: "tokens-a-day", unit: "tokens", window: "day", ceiling: 100_000 });

export const document: string = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-served",
  choices: [],
  usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
});
export const plain = { model: "gpt-test", messages: [{ role: "user", content: "hello" }], max_tokens: 50 } as const;
export const limits: readonly LimitSetting[] = [concurrent, daily];

/** Every path ends with one receipt, one settlement and nothing left open, and the store says what the receipt says. */
export async function onlyReceipt(gate: Gate, asked: Asked): Promise<Receipt> {
  expect(gate.closed).toHaveLength(1);
  const { receipt, settlement } = gate.closed[0] as {
    receipt: Receipt;
    settlement: { charge: { tokens: number; microUsd: number } };
  };
  const kept = await gate.stores.journal.find(receipt.tenantId, receipt.requestId);
  expect(kept).toEqual(JSON.parse(JSON.stringify(receipt)));
  expect(await gate.stores.journal.list(receipt.tenantId, undefined, 10)).toHaveLength(1);
  expect(settlement.charge).toMatchObject({ tokens: receipt.chargedTokens, microUsd: receipt.costMicroUsd });
  expect(gate.open.count).toBe(0);
  expect(gate.clock.pending).toBe(0);
  expect(asked.outbound.violations).toEqual([]);
  expect(await gate.held(concurrent)).toBe(0);
  expect(await gate.held(daily)).toBe(receipt.chargedTokens);
  return receipt;
}
