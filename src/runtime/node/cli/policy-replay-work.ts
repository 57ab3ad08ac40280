import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { parseBundle, datesOf, type SignedBundle } from "../../../bundle/signed-bundle.ts";
import { parseRecord, replay as replayRecord, Worlds, type Replay } from "../../../bundle/replay.ts";
import { isBundle, isShadow } from "../../../bundle/read-shelf.ts";
import { isPolicyFile, readCatalogue, type CatalogueFile } from "../../../region/read-catalogue.ts";
import { sha256 } from "../clock.ts";
import { errorCode } from "../error-code.ts";
import { readBundleFile } from "./bundle-file.ts";
import { required, type Input, type Session } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { regionFilesIn, regionsDirectory } from "./regions-argument.ts";
import { fields } from "./table.ts";

/** So many differences, missing worlds and kinds of refusals are told apart, whatever a file says; all records are counted. */
const mostListed = 20;

export async function replay(input: Input, session: Session): Promise<void> {
  const worlds = await worldsOf(input, session);
  const counts: Counts = { same: 0, different: 0, not_decided: 0, without_inputs: 0, without_world: 0 };
  const notDecided = new Map<string, number>();
  const different: { requestId: string; differences: readonly string[] }[] = [];
  const missing = new Set<string>();
  let number = 0;
  for await (const line of linesOf(required(input, "FILE"))) {
    number += 1;
    if (line.trim() === "") continue;
    const record = parseRecord(line);
    if (record === undefined) throw usageFailure(`Line ${number} is no receipt: give what strait export --format jsonl writes.`);
    const again = replayRecord(record, worlds);
    counts[again.result] += 1;
    if (again.result === "different" && different.length < mostListed)
      different.push({ requestId: record.requestId, differences: again.differences });
    if (again.result === "not_decided") {
      const kind = notDecided.has(again.by) || notDecided.size < mostListed ? again.by : "others";
      notDecided.set(kind, (notDecided.get(kind) ?? 0) + 1);
    }
    if (again.result === "without_world" && missing.size < mostListed)
      missing.add(`policy ${again.policyDigest}, catalogue ${again.catalogueDigest}`);
  }
  const notDecidedBy = Object.fromEntries(notDecided);
  const document = {
    ok: counts.different + counts.without_world === 0,
    ...counts,
    not_decided_by: notDecidedBy,
    differences: different,
    missing: [...missing],
  };
  if (!document.ok) {
    const lines = different.map(({ requestId, differences }) => `${requestId}: ${differences.join("; ")}`);
    const unknown = document.missing.map(
      (world) => `Not at hand: ${world}. Name its bundle by --bundle, and its folder by --regions.`,
    );
    throw new Failure(exitCodes.failed, [summary(counts, notDecidedBy), ...lines, ...unknown].join("\n"), document);
  }
  session.print(session.json ? JSON.stringify(document, undefined, 2) : summary(counts, notDecidedBy));
}

type Counts = Record<Replay["result"], number>;

function summary(counts: Readonly<Counts>, notDecidedBy: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(notDecidedBy).map(([kind, count]) => `${kind} ${count}`);
  return fields([
    ["decided the same", counts.same],
    ["decided otherwise", counts.different],
    ["policy not at hand", counts.without_world],
    ["not decided by policy", [counts.not_decided, ...(kinds.length === 0 ? [] : [`(${kinds.sort().join(", ")})`])].join(" ")],
    ["of before inputs were kept", counts.without_inputs],
  ]);
}

/** Every policy with every catalogue: a receipt names the pair that it means by their digests. */
async function worldsOf(input: Input, session: Session): Promise<Worlds> {
  const named = input.options("regions");
  const directories = named.length > 0 ? named : [regionsDirectory(undefined, session)];
  const folders = await Promise.all(directories.map((directory) => regionFilesIn(directory)));
  const bundles = [
    ...input.options("bundle").map(readBundleFile),
    ...folders.flat().flatMap(({ path, text }): SignedBundle[] => {
      const parsed = isBundle(path) || isShadow(path) ? parseBundle(text) : undefined;
      return parsed?.ok === true ? [parsed.signed] : [];
    }),
  ];
  const worlds = new Worlds();
  for (const files of folders) {
    add(worlds, files);
    const catalogue = files.filter((file) => !isPolicyFile(file));
    for (const { bundle } of bundles) {
      const policy = bundle.files.map(({ name, text }) => ({ path: name, text }));
      add(worlds, [...catalogue, ...policy], datesOf(bundle));
    }
  }
  if (worlds.size === 0)
    throw new Failure(exitCodes.failed, "None of the folders holds together with a policy: see strait check.");
  return worlds;
}

/** A bundle that does not fit a folder was never in force with it. */
function add(worlds: Worlds, files: readonly CatalogueFile[], dates?: ReturnType<typeof datesOf>): void {
  const read = readCatalogue(files, sha256, dates);
  if (read.ok) worlds.add(read);
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const stream = path === "-" ? process.stdin : createReadStream(path, "utf8");
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    throw usageFailure(`${path} cannot be read (${errorCode(error)}).`);
  }
}
