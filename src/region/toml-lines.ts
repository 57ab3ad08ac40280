export type TomlPath = readonly (string | number)[];

/**
 * On which line each key, table and element of a TOML text stands. The parser keeps no positions, and a problem without
 * a line makes a person search. Takes text that has parsed: it relies on it being well-formed.
 */
export class TomlLines {
  readonly #lines = new Map<string, number>();
  /** How often each `[[table]]` was opened, by its resolved path. */
  readonly #opened = new Map<string, number>();
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
    let table: TomlPath = [];
    for (this.#skip(); this.#at < text.length; this.#skip()) {
      if (text[this.#at] === "[") table = this.#header();
      else this.#pair(table);
    }
  }

  /** The line of what `path` names, or of the nearest thing around it that is there; 1 for the document. */
  lineOf(path: TomlPath): number {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.#lines.get(key(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  #header(): TomlPath {
    const line = this.#line;
    const isArray = this.#text[this.#at + 1] === "[";
    this.#move(isArray ? 2 : 1);
    const name = this.#key();
    this.#move(isArray ? 2 : 1);
    let path: TomlPath = [];
    name.forEach((part, index) => {
      path = [...path, part];
      const opened = this.#opened.get(key(path));
      if (isArray && index === name.length - 1) {
        this.#record(path, line);
        this.#opened.set(key(path), (opened ?? 0) + 1);
        path = [...path, opened ?? 0];
      } else if (opened !== undefined) {
        path = [...path, opened - 1];
      }
    });
    this.#record(path, line);
    return path;
  }

  #pair(table: TomlPath): void {
    const line = this.#line;
    const names = this.#key();
    const path = [...table, ...names];
    for (let length = table.length + 1; length <= path.length; length += 1) this.#record(path.slice(0, length), line);
    this.#move(1); // the equals sign, where `#key` stopped
    this.#skip();
    this.#value(path);
  }

  /** A dotted key; stops at the `=` or `]` behind it. */
  #key(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.#skip();
      const character = this.#text[this.#at];
      if (character === undefined || character === "=" || character === "]") return parts;
      if (character === ".") this.#move(1);
      else if (character === '"' || character === "'") parts.push(unquoted(this.#string()));
      else parts.push(this.#bare(/[^A-Za-z0-9_-]/g));
    }
  }

  #value(path: TomlPath): void {
    this.#record(path, this.#line);
    const character = this.#text[this.#at];
    if (character === '"' || character === "'") this.#string();
    else if (character === "[") this.#elements(path, "]");
    else if (character === "{") this.#elements(path, "}");
    else this.#bare(/[,\]}\r\n#]/g);
  }

  #elements(path: TomlPath, close: "]" | "}"): void {
    this.#move(1);
    let index = 0;
    for (;;) {
      this.#skip();
      const character = this.#text[this.#at];
      if (character === undefined) return;
      if (character === close) return this.#move(1);
      if (character === ",") this.#move(1);
      else if (close === "}") this.#pair(path);
      else this.#value([...path, index++]);
    }
  }

  /** A string of any of the four kinds, with its quotes. */
  #string(): string {
    const quote = this.#text[this.#at] ?? "";
    const triple = quote.repeat(3);
    const mark = this.#text.startsWith(triple, this.#at) ? triple : quote;
    let end = this.#at + mark.length;
    while (end < this.#text.length && !this.#text.startsWith(mark, end)) end += quote === '"' && this.#text[end] === "\\" ? 2 : 1;
    // Up to two quotes may stand right before the three that close.
    if (mark === triple) while (this.#text[end + 3] === quote) end += 1;
    const from = this.#at;
    this.#move(end + mark.length - from);
    return this.#text.slice(from, this.#at);
  }

  #bare(stop: RegExp): string {
    const from = this.#at;
    stop.lastIndex = from;
    // At least one character, or text that is not well-formed after all would loop here for ever.
    this.#move(Math.max(1, (stop.exec(this.#text)?.index ?? this.#text.length) - from));
    return this.#text.slice(from, this.#at);
  }

  /** White space, line ends and comments. */
  #skip(): void {
    const blank = /(?:[ \t\r\n\uFEFF]|#[^\n]*)*/y;
    blank.lastIndex = this.#at;
    this.#move(blank.exec(this.#text)?.[0].length ?? 0);
  }

  #move(count: number): void {
    for (const end = this.#at + count; this.#at < end; this.#at += 1) if (this.#text[this.#at] === "\n") this.#line += 1;
  }

  #record(path: TomlPath, line: number): void {
    const name = key(path);
    if (!this.#lines.has(name)) this.#lines.set(name, line);
  }
}

function key(path: TomlPath): string {
  return JSON.stringify(path);
}

function unquoted(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1); // an escape that JSON has not: the line of the table is near enough
  }
}
