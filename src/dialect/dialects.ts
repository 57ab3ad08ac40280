import { anthropic } from "./anthropic.ts";
import { azure } from "./azure.ts";
import type { Dialect, DialectName } from "./dialect.ts";
import { openai } from "./openai.ts";

const dialects: Readonly<Record<DialectName, Dialect>> = { openai, azure, anthropic };

export function dialectOf(name: DialectName): Dialect {
  return dialects[name];
}
