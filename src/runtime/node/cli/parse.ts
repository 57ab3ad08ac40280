import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";
import type { Command, Input, Option } from "./command.ts";
import { usageFailure } from "./failure.ts";
import { commonOptions, synopsis } from "./help.ts";

export interface Written {
  /** The words that name a command or a group, as far as they do. */
  readonly path: readonly string[];
  readonly command: Command | undefined;
  readonly wantsHelp: boolean;
  readonly wantsVersion: boolean;
}

/** Finds the command, wherever the options stand. Every option of every command is known here, lest a value pass for a word. */
export function readCommand(commands: readonly Command[], words: readonly string[]): Written {
  refuseKeyOption(words);
  const options = optionTable([...commonOptions, ...commands.flatMap((command) => command.options)]);
  const { values, positionals } = parseArgs({ args: [...words], options, strict: false, allowPositionals: true });
  const isStart = (path: readonly string[]): boolean =>
    commands.some((command) => path.every((word, index) => command.path[index] === word));
  let length = 0;
  while (length < positionals.length && isStart(positionals.slice(0, length + 1))) length += 1;
  const path = positionals.slice(0, length);
  const command = commands.find((candidate) => candidate.path.join(" ") === path.join(" "));
  return { path, command, wantsHelp: values["help"] === true, wantsVersion: values["version"] === true };
}

/** What was written for this command, or a failure that says what does not fit. */
export function readInput(command: Command, words: readonly string[]): Input {
  const { values, positionals } = parseStrictly(command, words);
  const given = positionals.slice(command.path.length);
  const usage = `Usage: strait ${synopsis(command)}; strait ${command.path.join(" ")} --help says more.`;
  const missing = command.arguments.filter(({ optional }, index) => optional !== true && given[index] === undefined);
  if (missing.length > 0) throw usageFailure(`${missing.map(({ name }) => name).join(" and ")} is missing. ${usage}`);
  if (given.length > command.arguments.length)
    throw usageFailure(`"${given[command.arguments.length] ?? ""}" is one word too many. ${usage}`);
  const texts = (name: string): string[] => [values[name]].flat().filter((value) => typeof value === "string");
  return {
    argument: (name) => given[command.arguments.findIndex((argument) => argument.name === name)],
    option: (name) => texts(name).at(-1),
    options: texts,
    isOn: (name) => values[name] === true,
  };
}

function parseStrictly(command: Command, words: readonly string[]): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({
      args: [...words],
      options: optionTable([...commonOptions, ...command.options]),
      strict: true,
      allowPositionals: true,
    });
  } catch (error) {
    // The first sentence says what is wrong; the rest is about writing positionals that begin with a dash.
    const message = error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error);
    throw usageFailure(`${message}. strait ${command.path.join(" ")} --help lists the options.`);
  }
}

/** First of all, so that no other message repeats what was meant to be the key. */
function refuseKeyOption(words: readonly string[]): void {
  if (!words.some((word) => /^--operator-key(=|$)/.test(word))) return;
  throw usageFailure(
    "The operator key is not taken from the command line, where others can see it: use STRAIT_OPERATOR_KEY or --operator-key-file.",
  );
}

function optionTable(options: readonly Option[]): ParseArgsOptionsConfig {
  return Object.fromEntries(
    options.map(({ name, value, multiple }) => [
      name,
      {
        type: value === undefined ? "boolean" : "string",
        multiple: multiple === true,
        ...(name === "help" ? { short: "h" } : {}),
      },
    ]),
  );
}
