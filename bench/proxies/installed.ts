import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { Unavailable } from "../proxy.ts";

/** The full path of a program. Where a user is not root, servers are often outside the user's own path. */
export function installed(command: string): string {
  for (const directory of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]) {
    if (directory === "") continue;
    try {
      accessSync(join(directory, command), constants.X_OK);
      return join(directory, command);
    } catch {
      // Not here.
    }
  }
  throw new Unavailable(`${command} is not installed`);
}
