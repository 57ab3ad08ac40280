import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import type { Problem } from "./problem.ts";
import { TomlLines, type TomlPath } from "./toml-lines.ts";

/** One file of `regions/`, as TOML: where things stand in it, and what was found wrong so far. */
export interface Document {
  readonly file: string;
  /** The table that the file is; empty where it did not parse. */
  readonly content: Readonly<Record<string, unknown>>;
  readonly parsed: boolean;
  report(path: TomlPath, message: string): void;
}

export function readDocument(file: string, text: string, problems: Problem[]): Document {
  let content: Readonly<Record<string, unknown>> = {};
  let parsed = true;
  try {
    content = parse(text, { unsafeKeyBehaviour: "throw" });
  } catch (error) {
    parsed = false;
    problems.push(syntaxProblem(file, error));
  }
  let lines: TomlLines | undefined;
  const report = (path: TomlPath, message: string): void => {
    lines ??= new TomlLines(text);
    problems.push({ file, line: lines.lineOf(path), message });
  };
  return { file, content, parsed, report };
}

function syntaxProblem(file: string, error: unknown): Problem {
  const message = error instanceof Error ? error.message : String(error);
  const first = (message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
  return { file, line: error instanceof TomlError ? error.line : 1, message: `Not valid TOML: ${first}.` };
}

/** Reports all in which the document differs from the schema. */
export function checkShape(document: Document, schema: z.ZodType): void {
  if (!document.parsed) return;
  const result = schema.safeParse(document.content);
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) document.report([...path, key], `Unknown key ${JSON.stringify(key)}${inside(path)}.`);
    } else if (missing(document.content, path)) {
      document.report(path, `Missing key ${JSON.stringify(String(path.at(-1)))}${inside(path.slice(0, -1))}.`);
    } else {
      document.report(path, `${show(path)}: ${issue.message}`);
    }
  }
}

export interface Entry<Value> {
  readonly index: number;
  readonly value: Value;
}

/** The elements of a list, each as far as `loose` can read it. */
export function entries<Value>(document: Document, name: string, loose: z.ZodType<Value>): Entry<Value>[] {
  const list = document.content[name];
  if (!Array.isArray(list)) return [];
  return list.flatMap((element: unknown, index) => {
    const result = loose.safeParse(element);
    return result.success ? [{ index, value: result.data }] : [];
  });
}

function missing(content: unknown, path: TomlPath): boolean {
  let value = content;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return true;
    value = (value as Record<string | number, unknown>)[part];
  }
  return false;
}

function inside(path: TomlPath): string {
  return path.length === 0 ? "" : ` in ${show(path)}`;
}

function show(path: TomlPath): string {
  return (
    path.map((part, index) => (typeof part === "number" ? `[${part + 1}]` : `${index === 0 ? "" : "."}${part}`)).join("") ||
    "file"
  );
}
