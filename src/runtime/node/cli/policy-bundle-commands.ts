import type { Command, Input, Session } from "./command.ts";
import { outOption } from "./out-file.ts";
import { regionsArgument } from "./regions-argument.ts";

const bundleArgument = { name: "BUNDLE", help: "a bundle's file, as strait policy build writes it" };

type Work = "keygen" | "build" | "sign" | "verify";

/** What the work needs (TOML, schemas, keys) would more than double the start of every other command. */
function work(name: Work): (input: Input, session: Session) => Promise<void> {
  return async (input, session) => (await import("./policy-bundle-work.ts"))[name](input, session);
}

const keygen: Command = {
  path: ["policy", "keygen"],
  summary: "make a key to sign policies with, and print the key set that gateways trust it by",
  arguments: [{ name: "FILE", help: "where the private key is written; it must not exist yet" }],
  options: [],
  notes:
    "What is printed goes into STRAIT_POLICY_KEYS, as a file or as it is. The private key never leaves FILE: gateways need none.",
  run: work("keygen"),
};

const build: Command = {
  path: ["policy", "build"],
  summary: "make a bundle of a regions folder's policy, without a signature yet",
  arguments: [regionsArgument],
  options: [
    { name: "from", value: "TIME", help: "decides from then on, RFC 3339; now without" },
    { name: "to", value: "TIME", help: "decides until just before then; without, until another one begins" },
    outOption,
  ],
  notes:
    "The version is that of policy.toml: change it with every change of a rule. A gateway takes no two bundles of one version.",
  run: work("build"),
};

const sign: Command = {
  path: ["policy", "sign"],
  summary: "sign a bundle, beside the signatures that it has",
  arguments: [bundleArgument],
  options: [{ name: "key", value: "FILE", help: "the private key, as strait policy keygen wrote it" }, outOption],
  run: work("sign"),
};

const verify: Command = {
  path: ["policy", "verify"],
  summary: "check a bundle's digest and signature, and say when it is in force",
  arguments: [bundleArgument],
  options: [{ name: "keys", value: "KEYS", help: "the key set that is trusted, or its file (STRAIT_POLICY_KEYS)" }],
  run: work("verify"),
};

const replay: Command = {
  path: ["policy", "replay"],
  summary: "decide again what receipts tell of, each by the policy that it names, and list what differs",
  arguments: [{ name: "FILE", help: "receipts as strait export --format jsonl writes them; - is standard input" }],
  options: [
    { name: "bundle", value: "FILE", help: "a bundle that decided, beside those in the folder", multiple: true },
    {
      name: "regions",
      value: "DIR",
      help: "a regions folder as it was then (STRAIT_REGIONS_DIR; default the shipped one)",
      multiple: true,
    },
  ],
  notes:
    "Exit code 1 where a decision differs, or where a policy or catalogue is not at hand. What was refused by something else " +
    "than a decision, such as a key's scope, is counted by its kind.",
  run: async (input, session) => (await import("./policy-replay-work.ts")).replay(input, session),
};

const diff: Command = {
  path: ["policy", "diff"],
  summary: "compare two bundles: rules, lists, and for which kinds of tenants and models they decide otherwise",
  arguments: [
    { name: "BEFORE", help: "a bundle's file" },
    { name: "AFTER", help: "another one" },
  ],
  options: [
    { name: "regions", value: "DIR", help: "the catalogue's folder (STRAIT_REGIONS_DIR; default the shipped one)" },
    { name: "at", value: "TIME", help: "the instant to decide at, RFC 3339; without, when AFTER begins, or now if that is past" },
  ],
  run: async (input, session) => (await import("./policy-diff-work.ts")).diff(input, session),
};

export const policyBundleCommands: readonly Command[] = [keygen, build, sign, verify, diff, replay];
