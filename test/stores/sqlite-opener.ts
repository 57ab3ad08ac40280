/** Opens the stores of a folder once it is told to, as one of several processes that start together: `node sqlite-opener.ts FOLDER`. */
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";

process.once("message", () => {
  openSqliteStores(process.argv[2] ?? "", systemClock).close();
  process.disconnect?.();
});
process.send?.("ready");
