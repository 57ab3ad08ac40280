import type { Command, Option } from "./command.ts";
import { clientOptions } from "./open-client.ts";

export const commonOptions: readonly Option[] = [
  ...clientOptions,
  { name: "json", help: "print the API's own document" },
  { name: "help", help: "print this" },
  { name: "version", help: "print the version" },
];

/** Help for what was written so far: one command, a group of them, or all. */
export function help(commands: readonly Command[], path: readonly string[]): string {
  const below = commands.filter((command) => path.every((word, index) => command.path[index] === word));
  const exact = below.find((command) => command.path.length === path.length);
  return exact === undefined ? groupHelp(below, path) : commandHelp(exact);
}

function groupHelp(commands: readonly Command[], path: readonly string[]): string {
  const title =
    path.length === 0 ? "strait: run a Strait gateway from the command line, by its operators' API" : `strait ${path.join(" ")}`;
  const uses = commands.map((command): [string, string] => [synopsis(command), command.summary]);
  return [
    title,
    "",
    columns(uses),
    "",
    "Options of every command:",
    columns(commonOptions.map(described)),
    "",
    "Exit codes: 0 done, 1 refused or failed, 2 not understood, 3 Strait cannot be reached.",
  ].join("\n");
}

function commandHelp(command: Command): string {
  const parts = [
    `Usage: strait ${synopsis(command)}${command.options.length > 0 ? " [OPTIONS]" : ""}`,
    "",
    sentence(command.summary),
  ];
  if (command.notes !== undefined) parts.push(command.notes);
  if (command.arguments.length > 0)
    parts.push("", columns(command.arguments.map(({ name, help: text }): [string, string] => [name, text])));
  if (command.options.length > 0) parts.push("", "Options:", columns(command.options.map(described)));
  parts.push("", "Options of every command:", columns(commonOptions.map(described)));
  return parts.join("\n");
}

export function synopsis(command: Command): string {
  return [...command.path, ...command.arguments.map(({ name, optional }) => (optional === true ? `[${name}]` : name))].join(" ");
}

function described({ name, value, help: text, multiple }: Option): [string, string] {
  return [value === undefined ? `--${name}` : `--${name} ${value}`, multiple === true ? `${text}; may be repeated` : text];
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
