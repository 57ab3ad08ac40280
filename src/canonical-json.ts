/**
 * JSON of which there is one form only (RFC 8785), so that equal values have equal digests and signatures: members in
 * order of their UTF-16 code units, numbers and strings as ECMAScript writes them, no blanks.
 *
 * Members that are `undefined` are left out, as `JSON.stringify` does. What JSON cannot say throws: a digest over a
 * number that became `null` would be one over something else.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "string":
      return canonicalString(value);
    case "boolean":
      return value ? "true" : "false";
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${value} is no number of JSON`);
      // As JSON has it, which knows no negative zero.
      return `${value}`;
    default:
      if (value === null) return "null";
      if (typeof value === "object") return texts.get(value) ?? compositeText(value);
      throw new TypeError(`a value of type ${typeof value} has no form in JSON`);
  }
}

/** Of what never changes, all the way down: `undefined` until it is first written. */
const texts = new WeakMap<object, string | undefined>();

/**
 * Says that a value never changes, all the way down, and is written again and again: its text is then made once. A tenant's
 * facts stand in each of its receipts, and take longer to write than all else there.
 */
export function writtenOnce<Value extends object>(value: Value): Value {
  texts.set(value, undefined);
  return value;
}

function compositeText(value: object): string {
  if (!Array.isArray(value) && !isPlain(value)) throw new TypeError("only plain objects and arrays have a form in JSON");
  const text = Array.isArray(value) ? canonicalArray(value) : canonicalObject(value);
  if (texts.has(value)) texts.set(value, text);
  return text;
}

function canonicalArray(elements: readonly unknown[]): string {
  let text = "[";
  for (let index = 0; index < elements.length; index += 1) text += `${index === 0 ? "" : ","}${canonicalJson(elements[index])}`;
  return `${text}]`;
}

/** On every request's path, so it sorts only what has members that it has not met before. */
function canonicalObject(value: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const { name, first, next } of membersInOrder(Object.keys(value))) {
    const member = value[name];
    if (member === undefined) continue;
    // Each of these makes an object of its own until the text is read: no more of them than it takes.
    text += text === "" ? first : next;
    text += canonicalJson(member);
  }
  return text === "" ? "{}" : `${text}}`;
}

interface Member {
  readonly name: string;
  /** The name as it stands before its value: first of all, or behind others. */
  readonly first: string;
  readonly next: string;
}

/** The names of one kind of object as they come, and in order. */
interface Kind {
  readonly names: readonly string[];
  readonly members: readonly Member[];
}

/**
 * Kinds of objects by how many names they have, the newest first. Records of one kind are made in one place, so their names
 * come in one order: to find it again costs half of what sorting does.
 */
const kinds = new Map<number, Kind[]>();
/** Of one number of names: there is no end of kinds where outsiders choose the names. */
const mostKinds = 8;
const mostNames = 64;

function membersInOrder(names: readonly string[]): readonly Member[] {
  const alike = kinds.get(names.length) ?? [];
  for (const kind of alike) if (areSame(kind.names, names)) return kind.members;
  const members = names.toSorted().map((name) => {
    const written = canonicalString(name);
    return { name, first: `{${written}:`, next: `,${written}:` };
  });
  if (names.length <= mostNames) kinds.set(names.length, [{ names, members }, ...alike.slice(0, mostKinds - 1)]);
  return members;
}

function areSame(left: readonly string[], right: readonly string[]): boolean {
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

/** Nothing that JSON escapes, and no surrogate. */
const plainText = /^[ !#-[\]-~]*$/;

/** A lone surrogate has no UTF-8, so two texts that differ in one would have the same bytes. */
function canonicalString(text: string): string {
  if (plainText.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError("a text with a lone surrogate has no form in JSON");
  return JSON.stringify(text);
}

/** A Map, a Set or a Date would lose what it holds without a word. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
