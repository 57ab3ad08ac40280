import type { Refusal } from "../refusal.ts";
import { member, type Document } from "./document.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads top-level fields with their types and ranges. The first fault is kept and reading goes on, so that a reader of
 * twelve fields asks once at the end instead of twelve times. `null` counts as absent, as the APIs have it.
 */
export class FieldReader {
  #refusal: Refusal | undefined;
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  /** The first fault found so far. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  has(name: string): boolean {
    return this.any(name) !== undefined;
  }

  any(name: string): unknown {
    return member(this.#document, name) ?? undefined;
  }

  text(name: string, longest: number): string | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "" && value.length <= longest) return value;
    return this.#invalid(name, `a string of 1 to ${longest} characters`);
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    return this.#invalid(name, `an integer from ${least} to ${most}`);
  }

  flag(name: string): boolean | undefined {
    const value = this.any(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.#invalid(name, "true or false");
  }

  object(name: string): JsonObject | undefined {
    const value = this.any(name);
    if (value === undefined || isObject(value)) return value;
    return this.#invalid(name, "an object");
  }

  array(name: string): readonly unknown[] | undefined {
    const value = this.any(name);
    if (value === undefined || Array.isArray(value)) return value;
    return this.#invalid(name, "an array");
  }

  /** Keeps a fault that a reader of a field's inside found. */
  refuse(refusal: Refusal): undefined {
    this.#refusal ??= refusal;
    return undefined;
  }

  require(name: string): void {
    if (!this.has(name)) this.refuse({ kind: "missing_field", param: name });
  }

  #invalid(param: string, expected: string): undefined {
    return this.refuse({ kind: "invalid_field", param, expected });
  }
}
