import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import type { Log } from "../../log.ts";
import { followPaths } from "../../revocation/follow-paths.ts";
import type { RevocationPath } from "../../revocation/path.ts";
import { Revocations } from "../../revocation/revocations.ts";
import { monotonicClock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { openPostgresRevocations } from "./postgres-revocations.ts";
import { openSqliteRevocations } from "./sqlite-revocations.ts";
import { openValkeyRevocations } from "./valkey-revocations.ts";

export interface FollowedRevocations {
  readonly revocations: Revocations;
  close(): Promise<void>;
}

interface OpenPath extends RevocationPath {
  close(): void | Promise<void>;
}

/** This process as a replica; resolves once each path was tried, so that what is revoked already is known. */
export async function followRevocations(config: Config, log: Log): Promise<FollowedRevocations> {
  const paths = openPaths(config, log);
  const revocations = new Revocations({
    paths,
    replica: { id: randomBytes(6).toString("hex"), name: `${hostname()}/${process.pid}`, startedAtMs: systemClock.nowMs() },
    clock: systemClock,
    elapsed: monotonicClock,
    stalenessMs: config.settings.revocationStalenessMs,
  });
  const stop = await followPaths(revocations, systemClock, log);
  const close = async (): Promise<void> => {
    stop();
    for (const path of paths) await path.close();
  };
  return { revocations, close };
}

/** Every store that replicas share is a path; where none of them keeps for good, a file of this machine does. */
function openPaths({ dataDir, databaseUrl, quotaUrl }: Config, log: Log): readonly OpenPath[] {
  const paths: OpenPath[] = [];
  if (databaseUrl !== undefined) paths.push(openPostgresRevocations(databaseUrl, log));
  else {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    paths.push(openSqliteRevocations(dataDir, systemClock));
  }
  if (quotaUrl !== undefined) paths.push(openValkeyRevocations(quotaUrl));
  return paths;
}
