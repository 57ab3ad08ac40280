import type { Command } from "./command.ts";
import { readRegionsArgument, regionsArgument, regionsDirectory } from "./regions-argument.ts";

export const checkCommand: Command = {
  path: ["check"],
  summary: "check a regions folder, without a running gateway",
  arguments: [regionsArgument],
  options: [],
  async run(input, session) {
    const { catalogue, policy } = await readRegionsArgument(input, session);
    const { regions, deployments, models, digest } = catalogue;
    const counts = { regions: regions.size, deployments: deployments.size, models: models.size };
    const document = { ok: true, ...counts, digest, policy: { version: policy.version, digest: policy.digest } };
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const directory = regionsDirectory(input.argument("DIR"), session);
    session.print(`${directory} is valid: ${counts.regions} regions, ${counts.deployments} deployments, ${counts.models} models`);
  },
};
