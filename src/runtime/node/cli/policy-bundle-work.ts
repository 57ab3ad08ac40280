import { keyIdOf, makePrivateJwk, publicPart, readPrivateJwk } from "../../../bundle/policy-keys.ts";
import { signBundle } from "../../../bundle/sign-bundle.ts";
import { verifyBundle } from "../../../bundle/verify-bundle.ts";
import { bundleDigest, makeBundle } from "../../../region/policy-bundle.ts";
import { bundleFiles } from "../../../region/read-catalogue.ts";
import { sha256, systemClock } from "../clock.ts";
import { policyKeysOf } from "../policy-keys-setting.ts";
import { readBundleFile, showDates, writeBundle } from "./bundle-file.ts";
import { required, type Input, type Session } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { writeOut } from "./out-file.ts";
import { readRegionsArgument } from "./regions-argument.ts";
import { fields } from "./table.ts";
import { instantMs, textFile } from "./values.ts";

export async function keygen(input: Input, session: Session): Promise<void> {
  const jwk = await makePrivateJwk();
  writeOut(required(input, "FILE"), `${JSON.stringify(jwk)}\n`, 0o600, "wx");
  session.print(JSON.stringify({ keys: [{ ...publicPart(jwk), kid: await keyIdOf(jwk), use: "sig", alg: "EdDSA" }] }));
}

export async function build(input: Input, session: Session): Promise<void> {
  const { files, policy } = await readRegionsArgument(input, session);
  const from = input.option("from");
  const to = input.option("to");
  const dates = {
    effectiveFromMs: from === undefined ? systemClock.nowMs() : instantMs(from, "from"),
    effectiveToMs: to === undefined ? undefined : instantMs(to, "to"),
  };
  if (dates.effectiveToMs !== undefined && dates.effectiveToMs <= dates.effectiveFromMs)
    throw usageFailure("--to must be after --from: the bundle would never be in force.");
  const bundle = makeBundle(policy.version, bundleFiles(files), dates);
  writeBundle({ bundle, digest: bundleDigest(bundle, sha256), signatures: [] }, input.option("out"), session);
}

export async function sign(input: Input, session: Session): Promise<void> {
  const signed = readBundleFile(required(input, "BUNDLE"));
  const keyFile = input.option("key");
  if (keyFile === undefined) throw usageFailure("Name the private key's file: --key FILE.");
  const jwk = readPrivateJwk(textFile(keyFile));
  if (jwk === undefined) throw usageFailure(`${keyFile} is not a private key of Ed25519 as a JSON Web Key.`);
  if (bundleDigest(signed.bundle, sha256) !== signed.digest)
    throw new Failure(exitCodes.failed, "The bundle's digest is not that of its content: build it again.");
  writeBundle(await signBundle(signed, jwk), input.option("out"), session);
}

export async function verify(input: Input, session: Session): Promise<void> {
  const { bundle, ...signed } = readBundleFile(required(input, "BUNDLE"));
  const setting = input.option("keys") ?? session.environment["STRAIT_POLICY_KEYS"];
  if (setting === undefined || setting === "") throw usageFailure("Name the keys that you trust: --keys FILE.");
  const keys = await policyKeysOf(setting);
  if (!keys.ok) throw usageFailure(`The keys cannot be used: ${keys.problem}.`);
  const verified = await verifyBundle({ bundle, ...signed }, keys.keys, sha256);
  if (!verified.ok) {
    const document = { ok: false, version: bundle.version, digest: signed.digest, reason: verified.reason };
    throw new Failure(exitCodes.failed, `The bundle does not hold: ${verified.reason}.`, document);
  }
  const { version, effectiveFrom = null, effectiveTo = null } = bundle;
  const document = { ok: true, version, digest: signed.digest, keyId: verified.keyId, effectiveFrom, effectiveTo };
  if (session.json) return session.print(JSON.stringify(document, undefined, 2));
  session.print(
    fields([
      ["version", version],
      ["digest", signed.digest],
      ["signed by", verified.keyId],
      ["in force", showDates(bundle)],
    ]),
  );
}
