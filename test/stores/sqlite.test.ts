import { bundleContract } from "./bundle-contract.ts";
import { directoryContract } from "./directory-contract.ts";
import { journalContract } from "./journal-contract.ts";
import { journalReaderContract } from "./journal-reader-contract.ts";
import { oldEntryContract } from "./old-entry-contract.ts";
import { quotaContract } from "./quota-contract.ts";
import { sliceContract } from "./slice-contract.ts";
import { sqliteWorld } from "./sqlite-world.ts";

for (const gateways of [1, 2]) {
  const name = gateways === 1 ? "node:sqlite" : `node:sqlite, ${gateways} gateways on one file`;
  quotaContract(name, () => sqliteWorld(gateways));
  sliceContract(name, () => sqliteWorld(gateways));
  journalContract(name, () => sqliteWorld(gateways));
  journalReaderContract(name, () => sqliteWorld(gateways));
  directoryContract(name, () => sqliteWorld(gateways));
  bundleContract(name, () => sqliteWorld(gateways));
  oldEntryContract(name, () => sqliteWorld(gateways));
}
