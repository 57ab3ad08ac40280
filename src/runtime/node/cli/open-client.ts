import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../error-code.ts";
import { ControlClient } from "./control-client.ts";
import type { Input, Option } from "./command.ts";
import { usageFailure } from "./failure.ts";

export const defaultUrl = "http://127.0.0.1:8787";

/** There is no option for the key itself: a command line is shown to everyone on the machine by `ps`, and kept by shells. */
export const clientOptions: readonly Option[] = [
  { name: "url", value: "URL", help: `where Strait listens (STRAIT_URL; default ${defaultUrl})` },
  {
    name: "operator-key-file",
    value: "FILE",
    help: "a file that holds the operator key (else STRAIT_OPERATOR_KEY, else the data directory's)",
  },
];

type Environment = Readonly<Record<string, string | undefined>>;

export function openClient(input: Input, environment: Environment, remark: (text: string) => void): ControlClient {
  const url = readUrl(input.option("url") ?? (environment["STRAIT_URL"] || defaultUrl));
  const key = readKey(input.option("operator-key-file"), environment);
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    remark(`Warning: the operator key goes to ${url.host} unencrypted; use https or a tunnel.`);
  }
  return new ControlClient(url.href.replace(/\/+$/, ""), key);
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw usageFailure(`"${text}" is not the address of a Strait. Write it like ${defaultUrl}.`);
  }
  return url;
}

function readKey(file: string | undefined, environment: Environment): string {
  const kept = join(environment["STRAIT_DATA_DIR"] || ".strait", "operator-key");
  const key = file !== undefined ? readKeyFile(file) : environment["STRAIT_OPERATOR_KEY"] || readKeyFile(kept, true);
  if (key === undefined) {
    throw usageFailure(
      `No operator key: set STRAIT_OPERATOR_KEY, name a file with --operator-key-file, or run where ${kept} is.`,
    );
  }
  // Checked here because fetch repeats a value that cannot stand in a header in its error, and so onto the terminal.
  if (!/^[\x21-\x7e]+$/.test(key)) throw usageFailure("The operator key is empty or holds characters that no operator key has.");
  return key;
}

function readKeyFile(path: string, mayBeMissing = false): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    const code = errorCode(error);
    if (mayBeMissing && code === "ENOENT") return undefined;
    throw usageFailure(`The operator key cannot be read from ${path} (${code}).`);
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}
