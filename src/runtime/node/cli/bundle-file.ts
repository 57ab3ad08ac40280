import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseBundle, type SignedBundle } from "../../../bundle/signed-bundle.ts";
import type { Session } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";
import { writeOut } from "./out-file.ts";
import { textFile } from "./values.ts";

export function readBundleFile(path: string): SignedBundle {
  const parsed = parseBundle(textFile(path));
  if (!parsed.ok) throw new Failure(exitCodes.failed, `${path} cannot be used: ${parsed.reason}.`);
  return parsed.signed;
}

/** To a file where one is named, with a word to the person; else to standard output. */
export function writeBundle(signed: SignedBundle, path: string | undefined, session: Session): void {
  const text = JSON.stringify(signed, undefined, 2);
  if (path === undefined) return session.print(text);
  const folder = dirname(path);
  // A regions folder has no bundles/ before its first bundle. What is missing above that is a slip of the pen.
  if (existsSync(dirname(folder)) && !existsSync(folder)) mkdirSync(folder);
  writeOut(path, `${text}\n`, 0o644, "w");
  session.remark(`${path} holds version ${signed.bundle.version}, digest ${signed.digest}.`);
}

/** When a bundle holds, in words for people. */
export function showDates({ effectiveFrom, effectiveTo }: SignedBundle["bundle"]): string {
  return `${effectiveFrom === undefined ? "from ever" : `from ${effectiveFrom}`} ${effectiveTo === undefined ? "on" : `until ${effectiveTo}`}`;
}
