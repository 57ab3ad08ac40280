import type { PolicyStatusDocument } from "../../../control/policy-documents.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

export const policyShowCommand: Command = {
  path: ["policy", "show"],
  summary: "show which policy decides, which will, and which bundles were not taken",
  arguments: [],
  options: [],
  async run(_input, session) {
    const { document } = await session.client().send<PolicyStatusDocument>({ method: "GET", path: "/policy" });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const { policies, refused, shadow } = document;
    const all = [...policies, ...(shadow === null ? [] : [{ ...shadow, state: "shadow" }])];
    session.print(
      table(
        ["STATE", "VERSION", "DIGEST", "FROM", "UNTIL", "SIGNED BY", "FILE"],
        all.map((policy) => [
          policy.state,
          policy.version,
          policy.digest.slice(0, 12),
          policy.effectiveFrom,
          policy.effectiveTo,
          policy.keyId?.slice(0, 12),
          policy.file,
        ]),
      ),
    );
    if (!policies.some(({ state }) => state === "active")) session.print("\nNo policy is in force: everything is refused.");
    for (const { file, reason, keptVersion } of refused)
      session.print(
        `\n${file} is not taken: ${reason}.${keptVersion === null ? "" : ` Version ${keptVersion} goes on in its place.`}`,
      );
  },
};
