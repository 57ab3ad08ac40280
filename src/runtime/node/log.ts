import type { Log, LogFields } from "../../log.ts";

function line(level: string, message: string, fields: LogFields | undefined): void {
  let text = `${new Date().toISOString()} ${level} ${message}`;
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) text += ` ${name}=${typeof value === "string" ? JSON.stringify(value) : value}`;
  }
  process.stderr.write(`${text}\n`);
}

/** One line a fact on standard error. */
export const log: Log = {
  info: (message, fields) => line("info", message, fields),
  warn: (message, fields) => line("warn", message, fields),
  error: (message, fields) => line("error", message, fields),
};
