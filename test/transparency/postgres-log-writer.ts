/**
 * A replica that writes receipts and takes them into the log until it is killed: `node postgres-log-writer.ts ADDRESS PREFIX`.
 * Prints each id once its receipt is durable.
 */
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { silent } from "../stores/postgres-world.ts";
import { receipt } from "../stores/samples.ts";

const [address = "", prefix = ""] = process.argv.slice(2);
const { journal, tree } = await openPostgresStores(address, systemClock, silent, { connections: 4 });

async function write(): Promise<never> {
  for (let place = 0; ; place += 1) {
    const id = `${prefix}-${place}`;
    await journal.append(receipt(id));
    process.stdout.write(`${id}\n`);
  }
}

async function integrate(): Promise<never> {
  for (;;) {
    await tree.integrate(7);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([write(), integrate()]);
