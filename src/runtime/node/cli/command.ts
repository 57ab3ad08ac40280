import type { ControlClient } from "./control-client.ts";

/** A command as data: what is parsed and what `--help` prints both come from it. */
export interface Command {
  /** `["tenant", "add"]`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
  /** Further sentences for `--help`. */
  readonly notes?: string;
  run(input: Input, session: Session): Promise<void>;
}

export interface Argument {
  /** As help shows it: `TENANT`. */
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
}

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What help calls the value; absent for a switch. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times. */
  readonly multiple?: boolean;
}

/** What was written on the command line, after it was found to fit the command. */
export interface Input {
  argument(name: string): string | undefined;
  option(name: string): string | undefined;
  options(name: string): readonly string[];
  isOn(name: string): boolean;
}

/** What a command may do to the world. */
export interface Session {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  /** The gateway's API; finding no operator key is told only where a command needs one. */
  client(): ControlClient;
  /** One line or several to standard output. */
  print(text: string): void;
  /** Bytes to standard output; resolves once they are taken, so that whoever reads slowly is waited for. */
  write(bytes: Uint8Array): Promise<void>;
  /** To standard error: what is said beside the result. */
  remark(text: string): void;
}

/** An argument that the command cannot do without; the parser has seen to it. */
export function required(input: Input, name: string): string {
  const value = input.argument(name);
  if (value === undefined) throw new TypeError(`the command does not declare ${name}`);
  return value;
}
