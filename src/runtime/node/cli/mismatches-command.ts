import type { PlaceMismatchDocument, PlaceMismatchListDocument } from "../../../control/place-mismatch-routes.ts";
import type { RevocationStateDocument } from "../../../control/revocation-documents.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

export const mismatchesCommand: Command = {
  path: ["mismatches"],
  summary: "show which deployments contradicted where they are declared to run, and which are out of use for it",
  arguments: [],
  options: [],
  notes: "What is out of use stays so on every replica until `restore ORDER`.",
  async run(_, session) {
    const { document } = await session.client().send<PlaceMismatchListDocument>({ method: "GET", path: "/place-mismatches" });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const { quarantined, placeMismatches } = document;
    if (quarantined.length === 0) session.remark("Nothing is out of use for its place.");
    else session.print(quarantineTable(quarantined));
    if (placeMismatches.length > 0) session.print(`${quarantined.length === 0 ? "" : "\n"}${countTable(placeMismatches)}`);
    else session.remark("No deployment ever contradicted its place.");
  },
};

function quarantineTable(quarantined: readonly RevocationStateDocument[]): string {
  const rows = quarantined.map(({ deployment, issuedAt, id, acknowledgements, missing, reason }) => [
    deployment,
    issuedAt,
    id,
    missing.length === 0 ? `all ${acknowledgements.length}` : `not ${missing.map(({ name }) => name).join(", ")}`,
    reason,
  ]);
  return table(["OUT OF USE", "SINCE", "ORDER", "ON REPLICAS", "BECAUSE"], rows);
}

function countTable(found: readonly PlaceMismatchDocument[]): string {
  const rows = found.map((one) => [
    one.deployment,
    one.answers,
    one.connections,
    one.firstAt,
    one.lastAt,
    one.lastRequest,
    one.last,
  ]);
  return table(["DEPLOYMENT", "ANSWERS", "CONNECTIONS", "FIRST", "LAST", "LAST REQUEST", "LAST MISMATCH"], rows);
}
