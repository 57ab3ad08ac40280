import { setTimeout as delay } from "node:timers/promises";
import type {
  AcknowledgementDocument,
  IssuedRevocationDocument,
  RevocationDocument,
  RevocationReceiptDocument,
  RevocationStateDocument,
} from "../../../control/revocation-documents.ts";
import { openRevocationReceipt } from "../../../transparency/revocation-receipt.ts";
import { hashes } from "../hashes.ts";
import type { ControlClient } from "./control-client.ts";
import { required, type Command, type Input, type Option, type Session } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { keyOption, readFileOf, readKeysOf } from "./log-files.ts";
import { outOption, writeOut } from "./out-file.ts";
import { liveTable, table } from "./table.ts";
import { expiry, wholeNumber } from "./values.ts";

const askEveryMs = 150;

/** Option and member of the API's document. */
const scope = [
  ["model", "model", "a model, by its name"],
  ["tier", "tier", "every model of a tier"],
  ["tenant", "tenant", "a tenant, by its id"],
  ["key", "key", "a key, by its public id"],
  ["tenant-country", "tenantCountry", "tenants registered, led or owned there"],
  ["country", "country", "whatever may be processed there"],
  ["deployment", "deployment", "a deployment, as REGION/NAME"],
  ["region", "region", "a region"],
] as const;

const orderArgument = { name: "ORDER", help: "the order's id, as `revocations` shows it" };

const receiptOption: Option = {
  name: "receipt",
  value: "FILE",
  help: "write the signed receipt there, for `strait revocation verify`",
};

const revoke: Command = {
  path: ["revoke"],
  summary: "cut something off everywhere, now, and follow it until every replica has acknowledged",
  arguments: [],
  options: [
    ...scope.map(([name, , help]) => ({ name, value: name.toUpperCase(), help })),
    { name: "reason", value: "TEXT", help: "why, for the record" },
    {
      name: "expires",
      value: "TIME|DAYS",
      help: "when it ends, as RFC 3339 or as days from now such as 2d (default: until restored)",
    },
    { name: "wait", value: "SECONDS", help: "how long to follow it (default 15)" },
    receiptOption,
  ],
  notes:
    "All that is named must hold. New requests are refused, and open streams cut with an error event. Exit code 1 where not every replica acknowledged in time: the order stands all the same.",
  async run(input, session) {
    const waitMs = wholeNumber(input.option("wait") ?? "15", "wait") * 1_000;
    const body = newRevocation(input);
    const client = session.client();
    const { document } = await client.send<IssuedRevocationDocument>({ method: "POST", path: "/revocations", body });
    if (document.writtenTo.length === 0)
      session.remark("No store could be reached: one replica alone holds the order, and passes it on when one is back.");
    await follow(client, document.id, waitMs, input, session);
  },
};

const show: Command = {
  path: ["revocations"],
  summary: "list what was revoked, or show one order and its acknowledgements",
  arguments: [{ ...orderArgument, optional: true }],
  options: [],
  async run(input, session) {
    const id = input.argument("ORDER");
    if (id !== undefined) {
      const { document } = await session.client().send<RevocationStateDocument>({ method: "GET", path: pathOf(id) });
      return session.print(session.json ? JSON.stringify(document, undefined, 2) : receiptOf(document));
    }
    const { document } = await session
      .client()
      .send<{ revocations: RevocationDocument[] }>({ method: "GET", path: "/revocations" });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    if (document.revocations.length === 0) return session.remark("Nothing is revoked.");
    session.print(revocationTable(document.revocations));
  },
};

const restore: Command = {
  path: ["restore"],
  summary: "take an order back",
  arguments: [orderArgument],
  options: [],
  async run(input, session) {
    const path = `${pathOf(required(input, "ORDER"))}/restore`;
    const { document } = await session.client().send<RevocationDocument>({ method: "POST", path });
    session.print(session.json ? JSON.stringify(document, undefined, 2) : revocationTable([document]));
  },
};

const receipt: Command = {
  path: ["revocation", "receipt"],
  summary: "print the receipt of an order as it stands now, signed with the log's key",
  arguments: [orderArgument],
  options: [outOption],
  async run(input, session) {
    const { signed } = await drawUp(session.client(), required(input, "ORDER"));
    if (signed === null) throw new Failure(exitCodes.failed, "No key of the log is valid now, so that nothing can be signed.");
    const file = input.option("out");
    if (file === undefined) return session.print(signed.trimEnd());
    writeOut(file, signed, 0o644, "wx");
  },
};

const verify: Command = {
  path: ["revocation", "verify"],
  summary: "check the signature of an order's receipt, without asking anybody, and show what it says",
  arguments: [{ name: "FILE", help: "what `strait revocation receipt` printed" }],
  options: [keyOption],
  async run(input, session) {
    const keys = readKeysOf(input);
    const read = await openRevocationReceipt(readFileOf(required(input, "FILE")), keys, hashes.sha256Bytes);
    if (!read.ok) throw new Failure(exitCodes.failed, `Not signed: ${read.problem}.`, { verified: false, problem: read.problem });
    const { kid, receipt: said } = read;
    if (session.json) return session.print(JSON.stringify({ verified: true, kid, receipt: said }, undefined, 2));
    session.print(`Signed: drawn up at ${said.drawnUpAt}, by key ${kid}.\n`);
    // What the log's key signed is a document of the API.
    session.print(receiptOf(said as unknown as RevocationStateDocument));
  },
};

export const revocationCommands: readonly Command[] = [revoke, restore, show, receipt, verify];

function newRevocation(input: Input): Readonly<Record<string, string>> {
  const named = scope.flatMap(([name, member]) => {
    const value = input.option(name);
    return value === undefined ? [] : [[member, value] as const];
  });
  if (named.length === 0)
    throw usageFailure(`Say what to revoke, by at least one of ${scope.map(([name]) => `--${name}`).join(", ")}.`);
  const reason = input.option("reason");
  if (reason === undefined) throw usageFailure("Say why, with --reason: it stands in the audit.");
  const expires = input.option("expires");
  return { ...Object.fromEntries(named), reason, ...(expires === undefined ? {} : { expiresAt: expiry(expires, Date.now()) }) };
}

/** Shows each replica as it acknowledges, then has the receipt drawn up and shows it. */
async function follow(client: ControlClient, id: string, waitMs: number, input: Input, session: Session): Promise<void> {
  const untilMs = performance.now() + waitMs;
  const rows = liveTable(heads, widths);
  if (!session.json) session.print(rows.head);
  const shown = new Set<string>();
  let complete = false;
  while (!complete && performance.now() < untilMs) {
    const { document } = await client.send<RevocationStateDocument>({ method: "GET", path: pathOf(id) });
    for (const one of document.acknowledgements) {
      if (one.ended < one.cut || shown.has(one.replica)) continue;
      shown.add(one.replica);
      if (!session.json) session.print(rows.row(cells(one)));
    }
    ({ complete } = document);
    if (!complete) await delay(askEveryMs);
  }
  const document = await drawUp(client, id);
  const file = input.option("receipt");
  if (file !== undefined) {
    if (document.signed === null) session.remark("No key of the log is valid now: the receipt is not signed, and not written.");
    else writeOut(file, document.signed, 0o644, "w");
  }
  session.print(session.json ? JSON.stringify(document, undefined, 2) : `\n${receiptOf(document)}`);
  if (document.complete) return;
  const { missing, acknowledgements } = document;
  const open = acknowledgements.reduce((sum, { cut, ended }) => sum + cut - ended, 0);
  throw new Failure(
    exitCodes.failed,
    `The order stands, but ${missing.length} replicas have not acknowledged it and ${open} cut streams have not ended. strait revocations ${id} shows more.`,
  );
}

async function drawUp(client: ControlClient, id: string): Promise<RevocationReceiptDocument> {
  return (await client.send<RevocationReceiptDocument>({ method: "POST", path: `${pathOf(id)}/receipt` })).document;
}

const heads = ["REPLICA", "LEARNED", "BY", "CUT", "ENDED", "LAST BYTE"];
const widths = [28, 24, 10, 6, 6, 24];

function cells({ name, learnedAt, learnedBy, cut, ended, lastByteAt }: AcknowledgementDocument): (string | number | null)[] {
  return [name, learnedAt, learnedBy, cut, ended, lastByteAt];
}

function receiptOf(document: RevocationStateDocument): string {
  const { id, by, reason, issuedAt, expiresAt, restoredAt, state, acknowledgements, missing, tookMs, complete } = document;
  const cut = acknowledgements.reduce((sum, one) => sum + one.cut, 0);
  const lines = [
    `Order     ${id} (${state.replace("_", " ")})`,
    `Revoked   ${scopeOf(document)}`,
    `Reason    ${reason}`,
    `Issued    ${issuedAt} by ${by}${expiresAt === null ? "" : `, until ${expiresAt}`}${restoredAt === null ? "" : `, restored ${restoredAt}`}`,
    `Replicas  ${acknowledgements.length} acknowledged, ${missing.length} missing${missing.length === 0 ? "" : `: ${missing.map(({ name }) => name).join(", ")}`}`,
    `Streams   ${cut} cut${complete && tookMs !== null ? `; all over ${tookMs} ms after the order` : ""}`,
  ];
  if (acknowledgements.length > 0) lines.push("", table(heads, acknowledgements.map(cells)));
  return lines.join("\n");
}

function revocationTable(revocations: readonly RevocationDocument[]): string {
  const rows = revocations.map((one) => [
    one.id,
    one.state,
    one.issuedAt,
    one.expiresAt ?? "never",
    one.by,
    scopeOf(one),
    one.reason,
  ]);
  return table(["ORDER", "STATE", "ISSUED", "EXPIRES", "BY", "WHAT", "REASON"], rows);
}

function scopeOf(document: RevocationDocument): string {
  return scope.flatMap(([name, member]) => (document[member] === null ? [] : [`${name} ${document[member]}`])).join(", ");
}

function pathOf(id: string): string {
  return `/revocations/${encodeURIComponent(id)}`;
}
