import { rmSync } from "node:fs";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteRevocations } from "../../src/runtime/node/sqlite-revocations.ts";
import { temporaryDirectory } from "../stores/sqlite-world.ts";
import { revocationPathContract } from "./path-contract.ts";

revocationPathContract(
  "SQLite, two processes on one file",
  async () => {
    const directory = temporaryDirectory();
    const paths = [openSqliteRevocations(directory, systemClock), openSqliteRevocations(directory, systemClock)];
    return {
      paths,
      async close() {
        for (const path of paths) path.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
  true,
);
