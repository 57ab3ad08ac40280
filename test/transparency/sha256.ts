import { createHash } from "node:crypto";
import type { Sha256Bytes } from "../../src/hashes.ts";

/** On every runtime that the contract suites run on. */
export const sha256Bytes: Sha256Bytes = (data) => createHash("sha256").update(data).digest();
