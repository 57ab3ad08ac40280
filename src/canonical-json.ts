/**
 * JSON of which there is one form only (RFC 8785), so that equal values have equal digests and signatures: members in
 * order of their UTF-16 code units, numbers and strings as ECMAScript writes them, no blanks.
 *
 * Members that are `undefined` are left out, as `JSON.stringify` does. What JSON cannot say throws: a digest over a
 * number that became `null` would be one over something else.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no number of JSON`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((element: unknown) => canonicalJson(element)).join(",")}]`;
  if (isPlain(value)) {
    const members = Object.keys(value)
      .filter((name) => value[name] !== undefined)
      .sort()
      .map((name) => `${canonicalString(name)}:${canonicalJson(value[name])}`);
    return `{${members.join(",")}}`;
  }
  throw new TypeError(`a value of type ${typeof value} has no form in JSON`);
}

/** A lone surrogate has no UTF-8, so two texts that differ in one would have the same bytes. */
function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("a text with a lone surrogate has no form in JSON");
  return JSON.stringify(text);
}

/** A Map, a Set or a Date would lose what it holds without a word. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
