import { quotaProperties } from "./quota-properties.ts";
import { sqliteWorld } from "./sqlite-world.ts";

quotaProperties("node:sqlite", () => sqliteWorld(1), 40);
quotaProperties("node:sqlite, 2 gateways on one file", () => sqliteWorld(2), 40);
