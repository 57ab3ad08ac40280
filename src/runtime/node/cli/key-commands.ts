import type { IssuedKeyDocument, KeyDocument } from "../../../control/documents.ts";
import { required } from "./command.ts";
import type { Command } from "./command.ts";
import { listed, table } from "./table.ts";
import { tenantPath } from "./tenant-path.ts";
import { commaList, expiry } from "./values.ts";

const tenantArgument = { name: "TENANT", help: "the tenant's id" };

const issue: Command = {
  path: ["key", "issue"],
  summary: "issue a key and show it, this once",
  arguments: [tenantArgument],
  options: [
    { name: "name", value: "NAME", help: "what the key is for (default: key)" },
    { name: "expires", value: "TIME|DAYS", help: "when it ends, as RFC 3339 or as days from now such as 90d" },
    { name: "models", value: "A,B", help: "the only models it opens" },
    {
      name: "surfaces",
      value: "A,B",
      help: "the only calls it opens: chat.completions, completions, embeddings, responses, messages, count_tokens",
    },
  ],
  notes: "Standard output is the key alone, so that KEY=$(strait key issue TENANT) works.",
  async run(input, session) {
    const expires = input.option("expires");
    const models = input.option("models");
    const surfaces = input.option("surfaces");
    const body = {
      name: input.option("name") ?? "key",
      expiresAt: expires === undefined ? undefined : expiry(expires, Date.now()),
      models: models === undefined ? undefined : commaList(models),
      surfaces: surfaces === undefined ? undefined : commaList(surfaces),
    };
    const { document } = await session
      .client()
      .send<IssuedKeyDocument>({ method: "POST", path: `${tenantPath(input)}/keys`, body });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    session.print(document.key);
    session.remark(`Key ${document.id} was issued. It is stored nowhere and cannot be shown again.`);
  },
};

const list: Command = {
  path: ["key", "list"],
  summary: "list a tenant's keys, never the keys themselves",
  arguments: [tenantArgument],
  options: [],
  async run(input, session) {
    const { document } = await session
      .client()
      .send<{ keys: KeyDocument[] }>({ method: "GET", path: `${tenantPath(input)}/keys` });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    if (document.keys.length === 0) return session.remark(`No key yet: strait key issue ${required(input, "TENANT")}`);
    session.print(keyTable(document.keys));
  },
};

const revoke: Command = {
  path: ["key", "revoke"],
  summary: "revoke a key, and cut what it has open",
  arguments: [tenantArgument, { name: "KEY", help: "the key's id, as `key list` shows it" }],
  options: [],
  async run(input, session) {
    const path = `${tenantPath(input)}/keys/${encodeURIComponent(required(input, "KEY"))}`;
    const { document } = await session.client().send<KeyDocument>({ method: "DELETE", path });
    session.print(session.json ? JSON.stringify(document, undefined, 2) : keyTable([document]));
  },
};

export const keyCommands: readonly Command[] = [issue, list, revoke];

function keyTable(keys: readonly KeyDocument[]): string {
  const rows = keys.map((key) => [
    key.id,
    key.state,
    key.createdAt.slice(0, 10),
    key.expiresAt ?? "never",
    key.lastUsedAt ?? "never",
    listed(key.models, "all"),
    listed(key.surfaces, "all"),
    key.name,
  ]);
  return table(["KEY", "STATE", "ISSUED", "EXPIRES", "LAST USED", "MODELS", "SURFACES", "NAME"], rows);
}
