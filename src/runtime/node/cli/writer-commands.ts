import type { WriterDocument, WriterListDocument } from "../../../control/writer-routes.ts";
import { required, type Command } from "./command.ts";
import { usageFailure } from "./failure.ts";
import { table } from "./table.ts";

export const writerCommands: readonly Command[] = [
  {
    path: ["writer", "list"],
    summary: "list the gateways that write to the journal, and when each was last heard of",
    arguments: [],
    options: [],
    notes:
      "After Valkey lost its data nothing is admitted until each of them has delivered its receipts and put back what it has open.",
    async run(_input, session) {
      const { document } = await session.client().send<WriterListDocument>({ method: "GET", path: "/writers" });
      if (session.json) return session.print(JSON.stringify(document, undefined, 2));
      const rows = document.writers.map(({ id, seenAt, completeUntil }) => [id, seenAt, completeUntil ?? "never said"]);
      session.print(table(["WRITER", "LAST SEEN", "COMPLETE UNTIL"], rows));
    },
  },
  {
    path: ["writer", "dismiss"],
    summary: "wait no more for a gateway that never comes back",
    arguments: [{ name: "ID", help: "as `writer list` has it" }],
    options: [{ name: "reason", value: "TEXT", help: "why, for the record" }],
    notes: "What it admitted and did not record is then missing in what limits are summed from: they may be passed by as much.",
    async run(input, session) {
      const reason = input.option("reason");
      if (reason === undefined) throw usageFailure("Say why, with --reason.");
      const path = `/writers/${encodeURIComponent(required(input, "ID"))}/dismiss`;
      const { document } = await session.client().send<WriterDocument>({ method: "POST", path, body: { reason } });
      if (session.json) return session.print(JSON.stringify(document, undefined, 2));
      session.print(`${document.id}, last seen ${document.seenAt}, is waited for no more.`);
    },
  },
];
