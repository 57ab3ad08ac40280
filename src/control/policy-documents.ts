import { isLoaded } from "../bundle/loaded-bundles.ts";
import { endMs, isInForce, startMs, type PolicyShelf, type ShelvedPolicy } from "../bundle/policy-shelf.ts";

/** `superseded`: in force, but another began later. */
export type PolicyState = "active" | "pending" | "superseded" | "ended";

/** Whether it stands in the regions folder, or was loaded by the operators' API. */
export type PolicySource = "file" | "loaded";

export interface PolicyDocument {
  version: string;
  digest: string;
  /** The file of the regions folder, or the name under which a bundle that was loaded is read. */
  file: string;
  source: PolicySource;
  /** Which trusted key signed it; `null`: it is a policy.toml, which nobody signs, or a shadow. */
  keyId: string | null;
  /** RFC 3339; `null`: from ever. */
  effectiveFrom: string | null;
  /** `null`: for ever. */
  effectiveTo: string | null;
  catalogueDigest: string;
}

export interface PolicyStatusDocument {
  /** In the order in which they begin. Where none is active, everything is refused. */
  policies: (PolicyDocument & { state: PolicyState })[];
  refused: { file: string; source: PolicySource; reason: string; keptVersion: string | null }[];
  shadow: PolicyDocument | null;
}

export function policyStatus(shelf: PolicyShelf, atMs: number): PolicyStatusDocument {
  const active = shelf.policyAt(atMs);
  return {
    policies: shelf.policies.map((policy) => ({ ...policyDocument(policy), state: stateOf(policy, active, atMs) })),
    refused: shelf.refused.map(({ file, reason, keptVersion }) => ({
      file,
      source: sourceOf(file),
      reason,
      keptVersion: keptVersion ?? null,
    })),
    shadow: shelf.shadow === undefined ? null : policyDocument(shelf.shadow),
  };
}

function stateOf(policy: ShelvedPolicy, active: ShelvedPolicy, atMs: number): PolicyState {
  if (startMs(policy) > atMs) return "pending";
  if (!isInForce(policy, atMs)) return "ended";
  return policy === active ? "active" : "superseded";
}

function sourceOf(file: string): PolicySource {
  return isLoaded(file) ? "loaded" : "file";
}

function policyDocument(shelved: ShelvedPolicy): PolicyDocument {
  const { policy, catalogue } = shelved.world;
  return {
    version: policy.version,
    digest: policy.digest,
    file: shelved.file,
    source: sourceOf(shelved.file),
    keyId: shelved.keyId ?? null,
    effectiveFrom: rfc3339(startMs(shelved)),
    effectiveTo: rfc3339(endMs(shelved)),
    catalogueDigest: catalogue.digest,
  };
}

function rfc3339(atMs: number): string | null {
  return Number.isFinite(atMs) ? new Date(atMs).toISOString() : null;
}
