import { mkdirSync, writeFileSync } from "node:fs";
import { jsonSchemas } from "../../region/json-schemas.ts";

/** Writes `regions/schema/` anew from the schemas that the loader checks by: `node src/runtime/node/write-schemas.ts`. */
const folder = new URL("../../../regions/schema/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [file, text] of jsonSchemas()) writeFileSync(new URL(file, folder), text);
