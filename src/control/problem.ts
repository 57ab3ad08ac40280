import type { ControlRefusal } from "./outcome.ts";

export type ProblemStatus = 400 | 401 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 500 | 503;

/** RFC 9457. `problems` names each thing that was wrong with what was sent. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: ProblemStatus;
  detail: string;
  problems?: ProblemItem[] | undefined;
}

/** Wrong in the body (`pointer`, RFC 6901) or in the query or a header (`parameter`). */
export interface ProblemItem {
  pointer?: string | undefined;
  parameter?: string | undefined;
  detail: string;
}

/** What HTTP itself can refuse before any function of ours is asked. */
export type HttpRefusal =
  | { readonly kind: "missing_operator_key" }
  | { readonly kind: "wrong_operator_key" }
  | { readonly kind: "route_not_found"; readonly path: string }
  | { readonly kind: "method_not_allowed"; readonly method: string; readonly allow: string }
  | { readonly kind: "body_too_large"; readonly limitBytes: number }
  | { readonly kind: "unsupported_media_type" }
  | { readonly kind: "malformed_json" }
  | { readonly kind: "malformed_request"; readonly problems: ProblemItem[] }
  | { readonly kind: "store_unavailable" }
  | { readonly kind: "internal" };

type Told = readonly [status: ProblemStatus, title: string, detail: string, problems?: ProblemItem[]];

/** One table from refusal to answer; a new refusal does not compile until it is told here. */
export function problemOf(refusal: ControlRefusal | HttpRefusal): ProblemDocument {
  const [status, title, detail, problems] = tell(refusal);
  const type = `urn:strait:problem:${refusal.kind.replaceAll("_", "-")}`;
  return problems === undefined ? { type, title, status, detail } : { type, title, status, detail, problems };
}

function tell(refusal: ControlRefusal | HttpRefusal): Told {
  switch (refusal.kind) {
    case "missing_operator_key":
      return [401, "Operator key required", "Send the operator key as `Authorization: Bearer <operator key>`."];
    case "wrong_operator_key":
      return [
        401,
        "Wrong operator key",
        "This is not the operator key of this gateway. Tenants' keys do not open the operators' API.",
      ];
    case "route_not_found":
      return [404, "No such route", `Nothing is served at ${refusal.path}; GET /control/v1/openapi.json lists what is.`];
    case "method_not_allowed":
      return [405, "Method not allowed", `${refusal.method} is not served here; use ${refusal.allow}.`];
    case "body_too_large":
      return [413, "Body too large", `Send at most ${refusal.limitBytes} bytes.`];
    case "unsupported_media_type":
      return [415, "Unsupported media type", "Send the body as `application/json`."];
    case "malformed_json":
      return [400, "Malformed JSON", "The body is not valid JSON."];
    case "malformed_request":
      return [400, "Invalid request", sentence(refusal.problems.length), refusal.problems];
    case "invalid":
      return [422, "Invalid values", sentence(refusal.problems.length), refusal.problems.map((problem) => ({ ...problem }))];
    case "tenant_not_found":
      return [404, "No such tenant", `There is no tenant \`${refusal.tenantId}\`.`];
    case "receipt_not_found":
      return [404, "No such receipt", `The log holds no receipt of \`${refusal.requestId}\` for this tenant.`];
    case "key_not_found":
      return [404, "No such key", `Tenant \`${refusal.tenantId}\` has no key \`${refusal.keyId}\`.`];
    case "revocation_not_found":
      return [
        404,
        "No such revocation",
        `There is no revocation \`${refusal.id}\`; GET /control/v1/revocations lists what there is.`,
      ];
    case "writer_not_found":
      return [
        404,
        "No such writer",
        `The journal knows no writer \`${refusal.id}\`; GET /control/v1/writers lists whom it knows.`,
      ];
    case "policy_not_in_force":
      return [
        409,
        "No policy in force",
        "Without a policy nobody knows how long records must be kept, so none is deleted; GET /control/v1/policy says why.",
      ];
    case "policy_unsigned":
      return [
        409,
        "Policy is unsigned here",
        "This gateway has no STRAIT_POLICY_KEYS, so that it can verify no bundle and its policy.toml holds: set them, and start it with a signed bundle.",
      ];
    case "bundle_conflict":
      return [409, "Another bundle is in its way", `${refusal.why}; nothing was loaded.`];
    case "bundle_in_force":
      return [
        409,
        "Bundle in force",
        `Bundle \`${refusal.digest}\` is in force, or will be in two seconds, and cannot be withdrawn: load a newer one that takes its place.`,
      ];
    case "bundle_not_found":
      return [
        404,
        "No such bundle",
        `No bundle \`${refusal.digest}\` was loaded; GET /control/v1/policy/bundles lists what was, and what is a file is withdrawn by removing it.`,
      ];
    case "tenant_exists":
      return [409, "Tenant exists", `There is a tenant \`${refusal.tenantId}\` already; choose another id or change that one.`];
    case "tenant_closed":
      return [409, "Tenant closed", `Tenant \`${refusal.tenantId}\` is closed for good; add a new tenant instead.`];
    case "illegal_transition":
      return [409, "Transition not allowed", transitionSentence(refusal.from, refusal.to, refusal.allowed)];
    case "too_many_keys":
      return [409, "Too many keys", `The tenant has ${refusal.limit} active keys, which is the most; revoke one first.`];
    case "too_many_digest_keys":
      return [
        409,
        "Too many digest keys",
        `The tenant has had ${refusal.limit} digest keys, which is the most, for none may be forgotten.`,
      ];
    case "revision_mismatch":
      return [
        412,
        "Changed meanwhile",
        `The tenant is at revision ${refusal.current}, not ${refusal.expected}: read it again and decide anew.`,
      ];
    case "contended":
      return [409, "Changed meanwhile", `Others keep changing tenant \`${refusal.tenantId}\`; nothing was written. Try again.`];
    case "store_unavailable":
      return [
        503,
        "Store unavailable",
        "The store cannot be reached; whether a change was written is not known. Read before trying again.",
      ];
    case "internal":
      return [500, "Internal error", "The gateway failed; its log says why."];
  }
}

function sentence(count: number): string {
  return count === 1
    ? "One value is wrong; `problems` says which and why."
    : `${count} values are wrong; \`problems\` says which and why.`;
}

function transitionSentence(from: string, to: string, allowed: readonly string[]): string {
  const open = allowed.length === 0 ? "nothing: it is final" : allowed.map((state) => `\`${state}\``).join(", ");
  return `A tenant that is \`${from}\` cannot become \`${to}\`. From there it can become ${open}.`;
}
