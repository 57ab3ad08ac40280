import { existsSync, readFileSync, renameSync } from "node:fs";
import { auditLog, type ShownEntry } from "../../../transparency/audit-log.ts";
import { verifyConsistencyProof, type ConsistencyProof } from "../../../transparency/consistency-proof.ts";
import { systemClock } from "../clock.ts";
import { hashes } from "../hashes.ts";
import { newLogKey } from "../log-key.ts";
import { required, type Argument, type Command, type Session } from "./command.ts";
import type { ControlClient } from "./control-client.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { keyOption, noteIn, openNote, readFileOf, readKeysOf } from "./log-files.ts";
import { writeOut } from "./out-file.ts";
import { expiry, instantMs } from "./values.ts";

const tenantArgument: Argument = { name: "TENANT", help: "a tenant whose receipts are in the log" };

export const logCommands: readonly Command[] = [
  {
    path: ["log", "checkpoint"],
    summary: "print the newest checkpoint: keep it, to compare later ones with it",
    arguments: [tenantArgument],
    options: [],
    async run(input, session) {
      const path = `/tenants/${encodeURIComponent(required(input, "TENANT"))}/log/checkpoint`;
      const { document } = await session.client().send<{ checkpoint: string }>({ method: "GET", path });
      session.print(session.json ? JSON.stringify(document, undefined, 2) : document.checkpoint.trimEnd());
    },
  },
  {
    path: ["log", "verify"],
    summary: "check that the log at one checkpoint is the beginning of what it is at another",
    arguments: [
      { name: "OLD", help: "a file with the earlier checkpoint" },
      { name: "NEW", help: "a file with the later one" },
    ],
    options: [
      keyOption,
      {
        name: "proof",
        value: "FILE",
        help: "the consistency proof, as GET /v1/strait/log/consistency answers it; nobody is asked",
      },
      { name: "tenant", value: "TENANT", help: "for operators, without --proof: ask the gateway for it" },
    ],
    async run(input, session) {
      const keys = readKeysOf(input);
      const [oldFile, newFile] = [required(input, "OLD"), required(input, "NEW")];
      const earlier = await openNote(noteIn(readFileOf(oldFile)), keys, oldFile);
      const later = await openNote(noteIn(readFileOf(newFile)), keys, newFile);
      const fail = (problem: string): Failure => new Failure(exitCodes.failed, problem, { verified: false, problem });
      if (earlier.origin !== later.origin) throw fail("The checkpoints are of different logs.");
      const [proof, tenant] = [input.option("proof"), input.option("tenant")];
      const isAsked = proof === undefined && earlier.size !== later.size;
      const text = isAsked ? await askConsistency(session, tenant, earlier.size, later.size) : proof && readFileOf(proof);
      const verdict = await verifyConsistencyProof(text, earlier, later, keys, hashes.sha256Bytes);
      if (!verdict.ok)
        throw fail(`Not consistent: ${verdict.problem}. Keep both checkpoints: where the log was forked, they show it.`);
      if (session.json) return session.print(JSON.stringify({ verified: true, from: earlier.size, to: later.size }));
      session.print(
        `Consistent: ${later.origin} grew from ${earlier.size} to ${later.size} entries, and nothing before was changed.`,
      );
    },
  },
  {
    path: ["log", "audit"],
    summary: "do the tree again from the journal, and find what was changed, dropped, reordered or forked",
    arguments: [tenantArgument],
    options: [
      keyOption,
      { name: "checkpoint", value: "FILE", help: "a checkpoint that was kept; the older, the more it shows", multiple: true },
    ],
    async run(input, session) {
      const keys = readKeysOf(input);
      const path = `/tenants/${encodeURIComponent(required(input, "TENANT"))}/log`;
      const client = session.client();
      const { document } = await client.send<{ checkpoint: string }>({ method: "GET", path: `${path}/checkpoint` });
      const checkpoints = [await openNote(document.checkpoint, keys, "the newest checkpoint")];
      for (const file of input.options("checkpoint")) checkpoints.push(await openNote(noteIn(readFileOf(file)), keys, file));
      const report = await auditLog(pagesOf(client, path), checkpoints, hashes.sha256Bytes);
      const { entries, forgotten, seesDropped, problems } = report;
      if (problems.length > 0) throw new Failure(exitCodes.failed, problems.map((one) => `- ${one}`).join("\n"), report);
      if (session.json) return session.print(JSON.stringify(report, undefined, 2));
      session.print(`In order: ${entries} entries are as they were signed; of ${forgotten} only the hash is kept.`);
      if (!seesDropped) session.print("Whether records were dropped before the log took them in, this store cannot tell.");
    },
  },
  {
    path: ["log", "rotate"],
    summary: "put a new signing key into the log's key file, or make the file; the gateway uses it from its next start on",
    arguments: [{ name: "FILE", help: "the file that STRAIT_LOG_KEY names" }],
    options: [
      {
        name: "old-until",
        value: "TIME|DAYS",
        help: "until when what the old key signs counts, as RFC 3339 or as days from now (default: 1d; 0d where it was stolen)",
      },
    ],
    notes:
      "The old key stays, without its private part, so that what it signed can still be checked. Gateways sign with it until they are started anew: see to that before its time is over, or what they sign later is not believed.",
    async run(input, session) {
      const file = required(input, "FILE");
      const nowMs = systemClock.nowMs();
      const until = expiry(input.option("old-until") ?? "1d", nowMs);
      const untilMs = instantMs(until, "old-until");
      const keys = (existsSync(file) ? readKeySet(file) : []).map((key) => retired(key, untilMs));
      const fresh = newLogKey(nowMs);
      // Written beside it and put in its place: a gateway that starts meanwhile finds the one or the other.
      writeOut(`${file}.new`, `${JSON.stringify({ keys: [fresh, ...keys] }, undefined, 2)}\n`, 0o600, "wx");
      renameSync(`${file}.new`, file);
      session.print(`The new key is valid from ${fresh["validFrom"]}.`);
      if (keys.length > 0) session.print(`Restart every gateway that signs this log before ${new Date(untilMs).toISOString()}.`);
    },
  },
];

async function* pagesOf(client: ControlClient, path: string): AsyncGenerator<readonly ShownEntry[]> {
  for (let from = 0; ;) {
    const { document } = await client.send<{ entries: readonly ShownEntry[] }>({
      method: "GET",
      path: `${path}/entries?from=${from}`,
    });
    if (document.entries.length === 0) return;
    yield document.entries;
    from += document.entries.length;
  }
}

async function askConsistency(session: Session, tenant: string | undefined, size: number, to: number): Promise<string> {
  if (tenant === undefined)
    throw usageFailure(
      `Name a file with the proof: GET /v1/strait/log/consistency?size=${size}&to=${to}, with a key of the tenant, and --proof FILE. Operators may ask by --tenant TENANT.`,
    );
  const path = `/tenants/${encodeURIComponent(tenant)}/log/consistency?size=${size}&to=${to}`;
  const { document } = await session.client().send<ConsistencyProof>({ method: "GET", path });
  return JSON.stringify(document);
}

type StoredKey = Readonly<Record<string, unknown>>;

function readKeySet(file: string): readonly StoredKey[] {
  try {
    const { keys } = JSON.parse(readFileSync(file, "utf8")) as { keys?: unknown };
    if (Array.isArray(keys)) return keys as StoredKey[];
  } catch (error) {
    throw usageFailure(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw usageFailure(`${file} is no set of keys.`);
}

function retired(key: StoredKey, untilMs: number): StoredKey {
  const kept = Object.fromEntries(Object.entries(key).filter(([name]) => name !== "d"));
  return "validUntil" in kept ? kept : { ...kept, validUntil: new Date(untilMs).toISOString() };
}
