import { datesOf } from "../../../bundle/signed-bundle.ts";
import type { World } from "../../../policy/world.ts";
import { formatProblems } from "../../../region/problem.ts";
import { isPolicyFile, readCatalogue, type CatalogueFile } from "../../../region/read-catalogue.ts";
import { sha256 } from "../clock.ts";
import { readBundleFile } from "./bundle-file.ts";
import { exitCodes, Failure } from "./failure.ts";

/** A bundle's policy, signed or not, with the catalogue of a regions folder: the folder's own policy is left aside. */
export function bundleWorld(path: string, folder: readonly CatalogueFile[]): World {
  const { bundle } = readBundleFile(path);
  const policy = bundle.files.map(({ name, text }) => ({ path: `${path}/${name}`, text }));
  const read = readCatalogue([...folder.filter((file) => !isPolicyFile(file)), ...policy], sha256, datesOf(bundle));
  if (!read.ok) throw new Failure(exitCodes.failed, `${path} does not fit the regions folder:\n${formatProblems(read.problems)}`);
  return read;
}
