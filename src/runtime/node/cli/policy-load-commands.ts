import type { BundleIdentityDocument } from "../../../control/bundle-routes.ts";
import { required, type Command, type Input, type Option, type Session } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";
import { table } from "./table.ts";
import { textFile } from "./values.ts";

const options: readonly Option[] = [
  { name: "shadow", help: "the one that is tried and decides nothing; it needs no signature" },
  { name: "reason", value: "TEXT", help: "why, for the audit" },
  { name: "by", value: "NAME", help: "who decided it, for the audit" },
];

const load: Command = {
  path: ["policy", "load"],
  summary: "give a signed bundle to all replicas; it decides from its beginning on",
  arguments: [{ name: "BUNDLE", help: "a bundle's file, as strait policy sign writes it" }],
  options,
  notes:
    "The gateway verifies it as one in its regions folder, and every replica again for itself. Each that reaches the store knows it within two seconds. Loading it again changes nothing.",
  async run(input, session) {
    const path = required(input, "BUNDLE");
    const body = documentOf(path);
    const { document } = await session
      .client()
      .send<BundleIdentityDocument>({ method: "POST", path: `/policy/bundles${queryOf(input)}`, body });
    print(document, session);
  },
};

const unload: Command = {
  path: ["policy", "unload"],
  summary: "withdraw a bundle that was loaded and is not in force",
  arguments: [{ name: "DIGEST", help: "the bundle's digest, whole, as strait policy show --json has it" }],
  options,
  notes: "One that is in force cannot be withdrawn: load a newer one that takes its place.",
  async run(input, session) {
    const path = `/policy/bundles/${encodeURIComponent(required(input, "DIGEST"))}${queryOf(input)}`;
    const { document } = await session.client().send<BundleIdentityDocument>({ method: "DELETE", path });
    print(document, session);
  },
};

export const policyLoadCommands: readonly Command[] = [load, unload];

/** Whether it is a bundle is for the gateway to say. */
function documentOf(path: string): unknown {
  try {
    return JSON.parse(textFile(path)) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(exitCodes.failed, `${path} is not JSON: ${error.message}.`);
    throw error;
  }
}

function queryOf(input: Input): string {
  const query = new URLSearchParams();
  if (input.isOn("shadow")) query.set("shadow", "true");
  for (const name of ["reason", "by"]) {
    const value = input.option(name);
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function print(document: BundleIdentityDocument, session: Session): void {
  if (session.json) return session.print(JSON.stringify(document, undefined, 2));
  const { version, digest, effectiveFrom, effectiveTo, shadow } = document;
  const row = [version, digest, effectiveFrom, effectiveTo, shadow ? "tried as a shadow" : "decides"];
  session.print(table(["VERSION", "DIGEST", "FROM", "UNTIL", "USE"], [row]));
}
