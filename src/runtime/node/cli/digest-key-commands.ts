import type { DigestKeyDocument } from "../../../control/digest-key-routes.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";
import { tenantArgument, tenantPath } from "./tenant-path.ts";

interface DigestKeysAnswer {
  readonly digestKeys: readonly DigestKeyDocument[];
}

export const digestKeyCommands: readonly Command[] = [
  {
    path: ["digest-key", "list"],
    summary: "list the keys that a tenant's receipts are digested with, never the keys themselves",
    arguments: [tenantArgument],
    options: [],
    notes: "The tenant gets the keys themselves at GET /v1/strait/digest-keys, with a key of its own that has no scope.",
    async run(input, session) {
      const path = `${tenantPath(input)}/digest-keys`;
      const { document } = await session.client().send<DigestKeysAnswer>({ method: "GET", path });
      session.print(session.json ? JSON.stringify(document, undefined, 2) : digestKeyTable(document.digestKeys));
    },
  },
  {
    path: ["digest-key", "rotate"],
    summary: "digest a tenant's receipts with a new key from now on; the old ones stay known",
    arguments: [tenantArgument],
    options: [],
    notes: "Tell the tenant: who keeps a copy of its keys must fetch them anew.",
    async run(input, session) {
      const path = `${tenantPath(input)}/digest-keys`;
      const { document } = await session.client().send<DigestKeysAnswer>({ method: "POST", path });
      session.print(session.json ? JSON.stringify(document, undefined, 2) : digestKeyTable(document.digestKeys));
    },
  },
];

function digestKeyTable(keys: readonly DigestKeyDocument[]): string {
  return table(
    ["DIGEST KEY", "SINCE", "UNTIL"],
    keys.map(({ id, createdAt, retiredAt }) => [id, createdAt, retiredAt ?? "now"]),
  );
}
