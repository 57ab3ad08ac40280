import type { Log } from "../../../log.ts";
import type { Command, Session } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";

export const migrateCommand: Command = {
  path: ["migrate"],
  summary: "bring the schema in PostgreSQL up to date, without a running gateway",
  arguments: [],
  options: [{ name: "dry-run", help: "only show what is missing, and change nothing" }],
  notes:
    "Reads STRAIT_DATABASE_URL. Gateways do the same when they start, any number of them at once; run it before where their own user may not\n" +
    "change the schema. The embedded files are brought up to date by the gateway that opens them.",
  async run(input, session) {
    const url = session.environment["STRAIT_DATABASE_URL"];
    if (url === undefined || url === "")
      throw usageFailure("Set STRAIT_DATABASE_URL to the database's address. The embedded files need no command.");
    const dryRun = input.isOn("dry-run");
    const names = await (dryRun ? missing(url) : migrated(url, session));
    if (session.json) return session.print(JSON.stringify({ dryRun, migrations: names }, undefined, 2));
    if (names.length === 0) return session.print("The schema is up to date.");
    session.print(`${dryRun ? "Missing" : "Applied"}:\n${names.map((name) => `  ${name}`).join("\n")}`);
  },
};

async function missing(url: string): Promise<readonly string[]> {
  // Loaded here alone: the client of PostgreSQL would lengthen the start of every other command.
  const { missingMigrations } = await import("../postgres-migrate.ts");
  return missingMigrations(url).catch(failed);
}

async function migrated(url: string, session: Session): Promise<readonly string[]> {
  const { migratePostgres } = await import("../postgres-migrate.ts");
  const remark = (message: string): void => session.remark(message);
  const log: Log = { info: () => undefined, warn: remark, error: remark };
  return migratePostgres(url, log).catch(failed);
}

function failed(error: unknown): never {
  const isAway = error instanceof Error && error.name === "StoreUnavailable";
  throw new Failure(isAway ? exitCodes.unreachable : exitCodes.failed, error instanceof Error ? error.message : String(error));
}
