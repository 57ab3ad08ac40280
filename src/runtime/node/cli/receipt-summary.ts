import { fields } from "./table.ts";

type Members = Readonly<Record<string, unknown>>;

/** What a receipt says, shortly and for people; `--json` shows all of it. What it does not say is `-`. */
export function receiptSummary(receipt: Members): string {
  const attempts = listOf(receipt["attempts"]);
  const refusal = membersOf(receipt["refusal"]);
  const inputs = membersOf(membersOf(receipt["inputs"])["tenant"]);
  const evidence = membersOf(receipt["evidence"]);
  return fields([
    ["when", timeOf(receipt["startedAtMs"])],
    ["who", words(receipt["legalEntity"], named("tenant", receipt["tenantId"]), named("key", receipt["keyId"]))],
    ["verified", words(inputs["state"], named("since", inputs["stateSince"]), named("by", inputs["stateEvidence"]))],
    ["asked", words(receipt["modelAsked"], receipt["surface"])],
    ["served", words(receipt["model"], receipt["deployment"], receipt["sku"])],
    ["where", words(named("host", receipt["endpointHost"]), named("countries", receipt["countries"]))],
    ["evidence", words(receipt["evidenceGrade"], named("reported", evidence["region"] ?? evidence["inferenceGeo"]))],
    ["gateway", words(receipt["gatewayPlace"])],
    ["policy", words(receipt["policyVersion"], receipt["policyDigest"])],
    ["refused", words(...listOf(receipt["candidatesRefused"]).map((group) => `${textOf(group["rule"])}: ${countOf(group)}`))],
    ["hops", words(...attempts.map((hop) => `${textOf(hop["deployment"])}: ${textOf(hop["outcome"])}`))],
    ["tokens", words(named("held", receipt["heldTokens"]), named("charged", receipt["chargedTokens"]))],
    ["end", words(receipt["end"], named("status", receipt["status"]), refusal["kind"], ...textsOf(refusal["reasons"]))],
  ]);
}

function words(...parts: readonly unknown[]): string {
  return parts
    .map(textOf)
    .filter((text) => text !== "")
    .join(", ");
}

function named(name: string, value: unknown): string {
  const text = textOf(value);
  return text === "" ? "" : `${name} ${text}`;
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}

function membersOf(value: unknown): Members {
  return typeof value === "object" && value !== null ? (value as Members) : {};
}

function listOf(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.map(membersOf) : [];
}

function countOf(group: Members): string {
  const count = textsOf(group["deployments"]).length;
  return count === 1 ? "1 deployment" : `${count} deployments`;
}

function timeOf(value: unknown): string {
  const time = typeof value === "number" ? new Date(value) : undefined;
  return time === undefined || Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
