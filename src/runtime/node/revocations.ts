import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import type { Log } from "../../log.ts";
import { followPaths } from "../../revocation/follow-paths.ts";
import type { RevocationPath } from "../../revocation/path.ts";
import { Revocations } from "../../revocation/revocations.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { openSqliteRevocations } from "./sqlite-revocations.ts";

export interface FollowedRevocations {
  readonly revocations: Revocations;
  close(): void;
}

interface OpenPath extends RevocationPath {
  close(): void;
}

/** This process as a replica; resolves once each path was tried, so that what is revoked already is known. */
export async function followRevocations(config: Config, log: Log): Promise<FollowedRevocations> {
  const paths = openPaths(config);
  const revocations = new Revocations({
    paths,
    replica: { id: randomBytes(6).toString("hex"), name: `${hostname()}/${process.pid}` },
    clock: systemClock,
    elapsed: { nowMs: () => performance.now() },
    stalenessMs: undefined,
    log,
  });
  const stop = await followPaths(revocations, systemClock, log);
  const close = (): void => {
    stop();
    for (const path of paths) path.close();
  };
  return { revocations, close };
}

/** Where nothing is shared with other machines, the orders are in a file of this one. */
function openPaths({ dataDir }: Config): readonly OpenPath[] {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return [openSqliteRevocations(dataDir, systemClock)];
}
