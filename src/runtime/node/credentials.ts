import { readFileSync } from "node:fs";
import type { Region } from "../../region/catalogue.ts";
import type { Credentials } from "../../upstream/address.ts";

/** How long a credential read from a file is used before the file is looked at again, so that it can be rotated. */
const fileFreshMs = 30_000;

/** Resolves a region's credential by its reference. `undefined` where there is none: its deployments are then out of reach. */
export function environmentCredentials(
  environment: Readonly<Record<string, string | undefined>>,
  nowMs: () => number,
): Credentials {
  const files = new Map<string, { readonly value: string | undefined; readonly readAtMs: number }>();
  return (region: Region) => {
    const reference = region.credential;
    if ("env" in reference) return environment[reference.env] || undefined;
    const known = files.get(reference.file);
    if (known !== undefined && nowMs() - known.readAtMs < fileFreshMs) return known.value;
    const value = readSecret(reference.file);
    files.set(reference.file, { value, readAtMs: nowMs() });
    return value;
  };
}

function readSecret(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    return undefined; // a credential that cannot be read is one that is not there
  }
}
