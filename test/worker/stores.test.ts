import { directoryContract } from "../stores/directory-contract.ts";
import { journalContract } from "../stores/journal-contract.ts";
import { journalReaderContract } from "../stores/journal-reader-contract.ts";
import { oldEntryContract } from "../stores/old-entry-contract.ts";
import { quotaContract } from "../stores/quota-contract.ts";
import { sliceContract } from "../stores/slice-contract.ts";
import { logContract } from "../transparency/log-contract.ts";
import { objectWorld } from "./object-world.ts";
import { shardWorld } from "./shard-world.ts";

quotaContract("Durable Objects", objectWorld);
quotaContract("Durable Objects, by a tenant's shards", shardWorld);
sliceContract("Durable Objects", objectWorld);
journalContract("Durable Objects", objectWorld);
logContract("Durable Objects", objectWorld);
directoryContract("Durable Objects", objectWorld);
oldEntryContract("Durable Objects", objectWorld);
journalReaderContract("Durable Objects and D1", objectWorld, { runs: 6, refusalsOfAll: false });
