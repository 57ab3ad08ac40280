import type { Counterexample } from "../../../bundle/check-invariants.ts";
import type { World } from "../../../policy/world.ts";
import { systemClock } from "../clock.ts";
import type { Command, Input, Session } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";
import { readRegionsArgument, regionFilesIn, regionsArgument, regionsDirectory } from "./regions-argument.ts";
import { instantMs } from "./values.ts";

export const policyCheckCommand: Command = {
  path: ["policy", "check"],
  summary: "try every kind of tenant with every model and deployment against the policy's invariants",
  arguments: [regionsArgument],
  options: [
    { name: "bundle", value: "FILE", help: "a bundle's policy, signed or not, instead of the folder's policy.toml" },
    { name: "at", value: "TIME", help: "from then on, RFC 3339; from now on without" },
  ],
  notes:
    "Invariants stand in policy.toml. Each is tried now and at every later instant at which a rule begins, pauses or ends, or a list grows too old.\n" +
    "What breaks one is printed, with the rules that let it pass, and the exit code is 1.",
  async run(input, session) {
    const { catalogue, policy } = await worldOf(input, session);
    if (policy.invariants.length === 0)
      throw new Failure(exitCodes.failed, "The policy has no invariants, so there is nothing to check.", { ok: false });
    const { checkInvariants } = await import("../../../bundle/check-invariants.ts");
    const at = input.option("at");
    const atMs = at === undefined ? systemClock.nowMs() : instantMs(at, "at");
    const { counterexamples, decisions, pairs, instantsMs } = checkInvariants({ catalogue, policy }, atMs);
    const counts = { invariants: policy.invariants.length, instants: instantsMs.length, decisions, pairs };
    const { version, digest } = policy;
    const document = {
      ok: counterexamples.length === 0,
      version,
      digest,
      ...counts,
      counterexamples: counterexamples.map(documentOf),
    };
    if (!document.ok) throw new Failure(exitCodes.failed, counterexamples.map(describe).join("\n\n"), document);
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    session.print(
      `Version ${version}: ${counts.invariants} invariants hold at ${counts.instants} instants: ${decisions} decisions on ${pairs} pairs of a kind of tenant and a deployment.`,
    );
  },
};

async function worldOf(input: Input, session: Session): Promise<World> {
  const bundle = input.option("bundle");
  if (bundle === undefined) return readRegionsArgument(input, session);
  const { bundleWorld } = await import("./bundle-world.ts");
  return bundleWorld(bundle, await regionFilesIn(regionsDirectory(input.argument("DIR"), session)));
}

function documentOf({ invariant, inputs, model, deployment, rules }: Counterexample): object {
  return { invariant: invariant.id, because: invariant.because, inputs, model: model.id, deployment: deployment.id, rules };
}

function describe({ invariant, inputs, model, deployment, rules }: Counterexample): string {
  const { registeredCountry, endUse, audience, name, ownership } = inputs.tenant;
  const owner = ownership === null ? "nobody known" : (ownership.owners[0]?.country ?? ownership.owners[0]?.kind ?? "nobody");
  return [
    `${invariant.id} is broken: ${invariant.because}`,
    `  tenant      ${name}; registered, led and held in ${registeredCountry?.value ?? "no known country"}, owned by ${owner}`,
    `  declares    end use ${endUse?.value ?? "unknown"}; ${audience?.value ?? "audience unknown"}`,
    `  at          ${new Date(inputs.atMs).toISOString()}`,
    `  is served   ${model.id} by ${deployment.id} (${inputs.surface})`,
    `  let pass by ${rules.join(", ")}`,
  ].join("\n");
}
