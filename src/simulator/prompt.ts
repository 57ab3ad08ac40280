import { listIn, objectIn, textIn, type JsonObject } from "./json.ts";
import { bytesPerToken, utf8Length } from "./tokens.ts";

export interface Prompt {
  /** UTF-8 bytes of all text in the prompt, tools included. */
  readonly bytes: number;
  readonly tokens: number;
  /** The text of the last message, in which a tool may be named. */
  readonly lastText: string;
  /** The last message carries a tool's result, so calling the tool again would loop. */
  readonly endsWithToolResult: boolean;
  /** For the prompt cache: equal prompts have equal digests. */
  readonly digest: number;
}

/** What an image costs here; real prices depend on its size. */
const imageTokens = 85;

const promptFields = ["system", "instructions", "messages", "input", "prompt"] as const;
const textFields = ["content", "text", "arguments", "output", "thinking", "tool_calls", "function"] as const;

/** Measures the text of a request in any dialect: the texts in its messages, its instructions and its tools. */
export function measurePrompt(body: JsonObject): Prompt {
  const measure = new Measure();
  for (const field of promptFields) measure.add(body[field]);
  if (body["tools"] !== undefined) measure.text(JSON.stringify(body["tools"]));
  const messages = listIn(body["messages"] ?? body["input"]);
  const last = objectIn(messages.at(-1));
  const tokens = Math.ceil(measure.bytes / bytesPerToken) + measure.extraTokens;
  return {
    bytes: measure.bytes,
    tokens,
    lastText: last === undefined ? (textIn(body["input"]) ?? "") : textsOf(last["content"]),
    endsWithToolResult: last !== undefined && carriesToolResult(last),
    digest: measure.digest,
  };
}

class Measure {
  bytes = 0;
  extraTokens = 0;
  /** FNV-1a over the characters. */
  digest = 0x811c9dc5;

  add(value: unknown): void {
    if (typeof value === "string") return this.text(value);
    // Completions and embeddings accept token numbers in the place of text.
    if (typeof value === "number") return void this.extraTokens++;
    if (Array.isArray(value)) return value.forEach((item) => this.add(item));
    const object = objectIn(value);
    if (object === undefined) return;
    if (textIn(object["type"])?.includes("image") === true) this.extraTokens += imageTokens;
    for (const field of textFields) if (object[field] !== undefined) this.add(object[field]);
    if (objectIn(object["input"]) !== undefined) this.text(JSON.stringify(object["input"]));
  }

  text(text: string): void {
    this.bytes += utf8Length(text);
    for (let index = 0; index < text.length; index++) {
      this.digest = Math.imul(this.digest ^ text.charCodeAt(index), 0x01000193);
    }
  }
}

function textsOf(content: unknown): string {
  if (typeof content === "string") return content;
  return listIn(content)
    .map((part) => textIn(objectIn(part)?.["text"]) ?? "")
    .join(" ");
}

function carriesToolResult(message: JsonObject): boolean {
  if (message["role"] === "tool" || message["type"] === "function_call_output") return true;
  return listIn(message["content"]).some((part) => objectIn(part)?.["type"] === "tool_result");
}
