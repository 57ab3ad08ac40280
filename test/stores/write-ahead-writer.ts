/**
 * A gateway that writes receipts until it is killed: `node write-ahead-writer.ts FOLDER PREFIX [ADDRESS]`. Prints each id
 * once its receipt is durable, and ends at the first that is refused. Without an address its journal is always away.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Journal } from "../../src/ledger/journal.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { WriteAheadJournal } from "../../src/runtime/node/write-ahead-journal.ts";
import { JournalThatFails } from "./journal-that-fails.ts";
import { silent } from "./postgres-world.ts";
import { receipt } from "./samples.ts";

async function journalAt(address: string | undefined): Promise<Journal> {
  if (address !== undefined) return (await openPostgresStores(address, systemClock, silent)).journal;
  const journal = new JournalThatFails();
  journal.state = "away";
  return journal;
}

// A file that may not grow further fails the write, as a full disk does, instead of ending the process.
process.on("SIGXFSZ", () => undefined);

const [folder = "", prefix = "", address] = process.argv.slice(2);
const journal = await WriteAheadJournal.open(await journalAt(address), folder, systemClock, silent, {
  patienceMs: 300,
  segmentBytes: 50_000,
});
for (let place = 0; ; place += 4) {
  const ids = [0, 1, 2, 3].map((step) => `${prefix}-${place + step}`);
  await Promise.all(
    ids.map(async (id) => {
      await journal.append(receipt(id));
      process.stdout.write(`${id}\n`);
    }),
  );
  await delay(1);
}
