import type { Refusal } from "./refusal.ts";

/**
 * The outcome of a step that may say no. A refusal is a value, not an exception, so that a step cannot forget it and
 * the compiler shows where it goes.
 */
export type Decision<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly refusal: Refusal };

export function allow<Value>(value: Value): Decision<Value> {
  return { ok: true, value };
}

export function refuse(refusal: Refusal): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal };
}
