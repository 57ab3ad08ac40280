import { endOfString, nameOf, skipBlank } from "./scan-members.ts";

/**
 * The text with member names spelled plainly, at every depth: `"mod\u0065l":` becomes `"model":`.
 *
 * `JSON.parse` of V8 14.6 (Node 26) misreads escaped names: to save time it compares a name with the one that stood in
 * its place in earlier objects, and compares the escaped spelling. Whoever first sends a member called `max_tok\u0`
 * (with that backslash) can then hide `max_tokens` from us, written `max_tok\u0065ns`, but not from an upstream. What
 * it takes a name for always holds a backslash, so plain names are safe.
 */
export function plainNames(text: string): string {
  // Only `\u00..` can spell a letter of a name that we read, and most bodies hold none. Searched for without its
  // backslash, which is so common in code that a search stops at every one.
  if (!text.includes("u00")) return text;
  let plain = "";
  let from = 0;
  let at = text.indexOf('"');
  while (at !== -1) {
    const end = endOfString(text, at);
    if (end === -1) break;
    if (text[skipBlank(text, end)] === ":") {
      const raw = text.slice(at + 1, end - 1);
      const name = raw.includes("\\u00") ? nameOf(raw) : undefined;
      if (name !== undefined) {
        plain += text.slice(from, at) + JSON.stringify(name);
        from = end;
      }
    }
    at = text.indexOf('"', end);
  }
  return from === 0 ? text : plain + text.slice(from);
}
