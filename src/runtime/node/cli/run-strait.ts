import { readFileSync } from "node:fs";
import { auditCommand } from "./audit-command.ts";
import { checkCommand } from "./check-command.ts";
import { digestKeyCommands } from "./digest-key-commands.ts";
import { explainCommand } from "./explain-command.ts";
import { exportCommand } from "./export-command.ts";
import type { Command, Session } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";
import type { ExitCode } from "./failure.ts";
import { help } from "./help.ts";
import { keyCommands } from "./key-commands.ts";
import { limitCommands } from "./limit-commands.ts";
import { migrateCommand } from "./migrate-command.ts";
import { mismatchesCommand } from "./mismatches-command.ts";
import { logCommands } from "./log-commands.ts";
import { openClient } from "./open-client.ts";
import { policyBundleCommands } from "./policy-bundle-commands.ts";
import { policyCheckCommand } from "./policy-check-command.ts";
import { policyLoadCommands } from "./policy-load-commands.ts";
import { policyShadowCommand } from "./policy-shadow-command.ts";
import { policyShowCommand } from "./policy-show-command.ts";
import { priceCommand } from "./price-command.ts";
import { readCommand, readInput } from "./parse.ts";
import { receiptCommands } from "./receipt-commands.ts";
import { reconcileCommands } from "./reconcile-commands.ts";
import { retentionCommands } from "./retention-commands.ts";
import { revocationCommands } from "./revocation-commands.ts";
import { tenantCommands } from "./tenant-commands.ts";
import { usageCommand } from "./usage-command.ts";
import { writerCommands } from "./writer-commands.ts";

export const commands: readonly Command[] = [
  ...tenantCommands,
  ...keyCommands,
  ...digestKeyCommands,
  ...limitCommands,
  priceCommand,
  usageCommand,
  exportCommand,
  ...reconcileCommands,
  explainCommand,
  policyShowCommand,
  ...policyLoadCommands,
  policyShadowCommand,
  policyCheckCommand,
  ...policyBundleCommands,
  ...revocationCommands,
  mismatchesCommand,
  ...retentionCommands,
  ...writerCommands,
  auditCommand,
  ...receiptCommands,
  ...logCommands,
  checkCommand,
  migrateCommand,
];

export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly remark: (text: string) => void;
}

/** Runs one command line (without the program's name) and resolves with its exit code. */
export async function runStrait(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(words, terminal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const asDocument = words.includes("--json") && error.document !== undefined;
    terminal.remark(asDocument ? JSON.stringify(error.document, undefined, 2) : error.message);
    return error.exitCode;
  }
}

async function dispatch(words: readonly string[], { environment, print, write, remark }: Terminal): Promise<ExitCode> {
  const { path, command, wantsHelp, wantsVersion } = readCommand(commands, words);
  if (wantsHelp) {
    print(help(commands, path));
    return exitCodes.ok;
  }
  if (wantsVersion) {
    print(`strait ${version()}`);
    return exitCodes.ok;
  }
  if (command === undefined) {
    remark(`${words.length === 0 ? "Which command?" : "There is no such command."}\n\n${help(commands, path)}`);
    return exitCodes.usage;
  }
  const input = readInput(command, words);
  const session: Session = {
    environment,
    json: input.isOn("json"),
    print,
    write,
    remark,
    client: () => openClient(input, environment, remark),
  };
  await command.run(input, session);
  return exitCodes.ok;
}

function version(): string {
  const document: unknown = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
  return typeof document === "object" && document !== null && "version" in document ? String(document.version) : "unknown";
}
