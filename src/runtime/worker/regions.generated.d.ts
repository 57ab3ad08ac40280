import type { CatalogueFile } from "../../region/read-catalogue.ts";

/** The texts of `regions/*.toml`, written by `src/runtime/node/bundle-regions.ts` before each build: a Worker has no folder to read. */
export const regionFiles: readonly CatalogueFile[];
