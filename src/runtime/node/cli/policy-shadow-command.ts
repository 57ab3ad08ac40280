import type { ShadowDifferenceDocument, ShadowDocument } from "../../../control/shadow-routes.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

export const policyShadowCommand: Command = {
  path: ["policy", "shadow"],
  summary: "show what a bundle that is tried as a shadow would decide otherwise",
  arguments: [],
  options: [],
  notes:
    "A bundle is tried where the regions folder has it as bundles/NAME.shadow.json, signed or not; renamed to NAME.json it is taken. strait policy load --shadow tries one on all replicas.\n" +
    "What is counted is the traffic of all gateway processes since the first read the bundle, each up to its last 5 seconds.",
  async run(_input, session) {
    const { document } = await session
      .client()
      .send<{ shadow: ShadowDocument | null }>({ method: "GET", path: "/policy/shadow" });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const { shadow } = document;
    if (shadow === null) return session.print("No bundle is tried as a shadow.");
    session.print(
      `${shadow.version} (${shadow.digest.slice(0, 12)}) would decide ${shadow.different} of ${shadow.compared} requests otherwise (${shadow.replicas} processes counted).`,
    );
    if (shadow.differences.length === 0) return;
    session.print(
      `\n${table(["REQUESTS", "TENANT", "MODEL", "NOW", "WOULD BE", "LOST", "GAINED"], shadow.differences.map(row))}`,
    );
    if (shadow.unlisted > 0) session.print(`\n${shadow.unlisted} requests more are not listed.`);
  },
};

function row(difference: ShadowDifferenceDocument): (string | number | null)[] {
  const { requests, tenant, model, activeRefusal, activeModel, candidateRefusal, candidateModel, lost, gained } = difference;
  return [requests, tenant, model, activeRefusal ?? activeModel, candidateRefusal ?? candidateModel, lost.length, gained.length];
}
