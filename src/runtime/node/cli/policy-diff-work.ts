import { diffPolicies, type Changes, type DecisionDifference } from "../../../bundle/diff-policies.ts";
import { systemClock } from "../clock.ts";
import { bundleWorld } from "./bundle-world.ts";
import { required, type Input, type Session } from "./command.ts";
import { regionFilesIn, regionsDirectory } from "./regions-argument.ts";
import { table } from "./table.ts";
import { instantMs } from "./values.ts";

/** So many rows are printed; --json has more. */
const printed = 40;

export async function diff(input: Input, session: Session): Promise<void> {
  const files = await regionFilesIn(regionsDirectory(input.option("regions"), session));
  const [before, after] = [bundleWorld(required(input, "BEFORE"), files), bundleWorld(required(input, "AFTER"), files)];
  const at = input.option("at");
  const atMs = at === undefined ? Math.max(systemClock.nowMs(), after.policy.effectiveFromMs ?? 0) : instantMs(at, "at");
  const differences = diffPolicies(before, after, atMs);
  if (session.json) return session.print(JSON.stringify({ at: new Date(atMs).toISOString(), ...differences }, undefined, 2));
  session.print(`${before.policy.version} -> ${after.policy.version}, as of ${new Date(atMs).toISOString()}`);
  for (const [name, changes] of [
    ["rule", differences.rules],
    ["list", differences.lists],
    ["invariant", differences.invariants],
    ["group", differences.groups],
    ["home country", differences.home],
    ["jurisdiction of", differences.jurisdictions],
    ["retention class", differences.retention],
  ] as const)
    for (const line of changeLines(name, changes)) session.print(line);
  for (const { list, added, removed } of differences.listEntries) {
    for (const entry of added) session.print(`  ${list}: + ${entry}`);
    for (const entry of removed) session.print(`  ${list}: - ${entry}`);
  }
  session.print(`\n${differences.different} of ${differences.compared} decisions on kinds of tenants and models differ.`);
  if (differences.decisions.length === 0) return;
  const rows = rowsOf(differences.decisions);
  const heads = ["KINDS", "TENANT IN", "END USE", "MODEL", "BEFORE", "AFTER", "LOST", "GAINED"];
  session.print(`\n${table(heads, rows.slice(0, printed))}`);
  if (rows.length > printed || differences.different > differences.decisions.length)
    session.print("\nMore are not shown; --json tells the first 200 with all that was decided by.");
}

function changeLines(name: string, { added, removed, changed }: Changes): string[] {
  return [
    ...added.map((id) => `+ ${name} ${id}`),
    ...removed.map((id) => `- ${name} ${id}`),
    ...changed.map((id) => `~ ${name} ${id}`),
  ];
}

/** Kinds that differ only in what is not shown (owners, audience, nationality) are one row, with how many they are. */
function rowsOf(decisions: readonly DecisionDifference[]): (string | number | null)[][] {
  const rows = decisions.map(({ inputs, before, after, lost, gained }) => {
    const { registeredCountry, endUse } = inputs.tenant;
    return [registeredCountry?.value ?? null, endUse?.value ?? null, inputs.model, before, after, lost.length, gained.length];
  });
  return [...Map.groupBy(rows, (row) => JSON.stringify(row)).values()].map((alike) => [alike.length, ...(alike[0] ?? [])]);
}
