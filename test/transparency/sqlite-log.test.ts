import { sqliteWorld } from "../stores/sqlite-world.ts";
import { logContract } from "./log-contract.ts";

logContract("SQLite, one process", () => sqliteWorld(1));
logContract("SQLite, three processes", () => sqliteWorld(3));
