import type { TenantDocument } from "../../../control/documents.ts";
import type { RetentionReportDocument, RetentionTermsDocument } from "../../../control/retention-routes.ts";
import { required, type Command, type Session } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { table } from "./table.ts";
import { tenantArgument, tenantPath } from "./tenant-path.ts";
import { instantMs } from "./values.ts";

/** Millions of records take minutes. */
const waitMs = 30 * 60_000;

export const retentionCommands: readonly Command[] = [
  {
    path: ["retention", "show"],
    summary: "show up to when records are deleted, by the policy in force",
    arguments: [],
    options: [],
    notes: "Records of a kind or model that is not listed are kept for ever.",
    async run(_input, session) {
      const { document } = await session.client().send<RetentionTermsDocument>({ method: "GET", path: "/retention" });
      if (session.json) return session.print(JSON.stringify(document, undefined, 2));
      const rows = document.terms.map((term) => [
        term.records,
        term.retentionClass,
        term.before,
        term.models === null ? "all" : term.models.join(", "),
      ]);
      session.print(table(["RECORDS", "CLASS", "DELETED BEFORE", "MODELS"], rows));
    },
  },
  {
    path: ["retention", "apply"],
    summary: "delete the records that are due; their hashes stay in the log",
    arguments: [],
    options: [
      { name: "dry-run", help: "only count them" },
      { name: "before", value: "TIME", help: "nothing younger than this, as RFC 3339, whatever the classes allow" },
    ],
    notes:
      "The gateway does the same by itself, once a day. Nothing of a tenant under a legal hold is deleted. The exit code is 1 where not all could be gone over.",
    async run(input, session) {
      const before = input.option("before");
      const body = {
        dryRun: input.isOn("dry-run"),
        ...(before === undefined ? {} : { before: new Date(instantMs(before, "before")).toISOString() }),
      };
      const order = { method: "POST", path: "/retention", body, waitMs } as const;
      const { document } = await session.client().send<RetentionReportDocument>(order);
      if (session.json) session.print(JSON.stringify(document, undefined, 2));
      else printCounts(document, session);
      if (document.failed.length > 0) throw new Failure(exitCodes.failed, notAll(document));
    },
  },
  {
    path: ["retention", "hold"],
    summary: "put a tenant under a legal hold: nothing of it is deleted until it is released",
    arguments: [tenantArgument],
    options: [
      { name: "reason", value: "TEXT", help: "why, for the record" },
      { name: "by", value: "NAME", help: "who asked for it" },
    ],
    async run(input, session) {
      const [reason, by] = [input.option("reason"), input.option("by")];
      if (reason === undefined) throw usageFailure("Say why, with --reason.");
      const body = { reason, ...(by === undefined ? {} : { by }) };
      const path = `${tenantPath(input)}/legal-hold`;
      const { document } = await session.client().send<TenantDocument>({ method: "PUT", path, body });
      if (session.json) return session.print(JSON.stringify(document, undefined, 2));
      session.print(`${document.id} is under a legal hold since ${document.legalHold?.since}.`);
    },
  },
  {
    path: ["retention", "release"],
    summary: "release a tenant from its legal hold",
    arguments: [tenantArgument],
    options: [],
    async run(input, session) {
      const path = `${tenantPath(input)}/legal-hold`;
      const { document } = await session.client().send<TenantDocument>({ method: "DELETE", path });
      if (session.json) return session.print(JSON.stringify(document, undefined, 2));
      session.print(`${required(input, "TENANT")} is under no legal hold.`);
    },
  },
];

function printCounts({ counts, failed, dryRun }: RetentionReportDocument, session: Session): void {
  if (counts.length === 0) {
    if (failed.length === 0) session.remark("Nothing is due.");
    return;
  }
  const rows = counts.map((count) => [
    count.records,
    count.retentionClass,
    String(count.deleted),
    String(count.held),
    count.oldest,
    count.newest,
  ]);
  session.print(table(["RECORDS", "CLASS", dryRun ? "DUE" : "DELETED", "HELD", "OLDEST", "NEWEST"], rows));
}

function notAll({ failed, failedTenants }: RetentionReportDocument): string {
  const whose = failedTenants.length === 0 ? "" : ` of ${failedTenants.join(", ")}`;
  return `Not all records that are due could be gone over (${failed.join(", ")}${whose}): see the gateway's log, and apply again.`;
}
