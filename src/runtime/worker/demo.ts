import { makeDemoTenants } from "../../demo-tenants.ts";
import type { ChangePorts } from "../../control/change.ts";
import { demoOperatorKey, type Config } from "./config.ts";

/** Where the regions of a demonstration seem to be: a name that no resolver knows, should it ever get out. */
export const simulatorUrl = "http://simulator.invalid";

/** Makes the demonstration's tenants where they are missing, and says so to whoever reads the terminal. */
export async function prepareDemo(
  ports: ChangePorts,
  { operatorKey }: Pick<Config, "operatorKey">,
  origin: string,
): Promise<void> {
  const made = await makeDemoTenants(ports).catch(() => makeDemoTenants(ports)); // two first requests may race: one made them, the other finds them
  if (made.length === 0) return;
  const keys = made.map(({ id, explanation, key }) => `  tenant ${id} (${explanation})\n    ${key}\n`).join("\n");
  // One that was set is a secret; the demonstration's own is none, and does not work beside it.
  const shownKey = operatorKey === undefined ? demoOperatorKey : "<the one that you set>";
  console.log(`Strait is in demonstration mode: every region is answered by a simulator in this Worker, and no model is called.

${keys}
These keys are shown once. For another one:

  STRAIT_OPERATOR_KEY=${shownKey} npx strait key issue demo_cn --url ${origin}
`);
}
