import type { AuditDocument } from "../../../control/documents.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";
import { wholeNumber } from "./values.ts";

export const auditCommand: Command = {
  path: ["audit"],
  summary: "show who changed what, newest first",
  arguments: [{ name: "TENANT", help: "only what was changed of this tenant", optional: true }],
  options: [{ name: "count", value: "N", help: "how many entries (default 100)" }],
  async run(input, session) {
    const tenant = input.argument("TENANT");
    const count = wholeNumber(input.option("count") ?? "100", "count");
    const path = `${tenant === undefined ? "" : `/tenants/${encodeURIComponent(tenant)}`}/audit?count=${count}`;
    const { document } = await session.client().send<{ audit: AuditDocument[] }>({ method: "GET", path });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const rows = document.audit.map(({ at, actor, action, tenantId, detail }) => [
      at,
      actor,
      action,
      tenantId,
      JSON.stringify(detail),
    ]);
    session.print(table(["AT", "WHO", "WHAT", "TENANT", "DETAIL"], rows));
  },
};
