/** One thing wrong with what the operator sent. */
export interface Problem {
  /** JSON pointer into the body (RFC 6901). */
  readonly pointer: string;
  /** What is wrong and what to write instead; a whole sentence. */
  readonly detail: string;
}

/** Every reason for which the operators' side says no. */
export type ControlRefusal =
  | { readonly kind: "tenant_not_found"; readonly tenantId: string }
  | { readonly kind: "key_not_found"; readonly tenantId: string; readonly keyId: string }
  | { readonly kind: "receipt_not_found"; readonly requestId: string }
  | { readonly kind: "tenant_exists"; readonly tenantId: string }
  | { readonly kind: "tenant_closed"; readonly tenantId: string }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[] }
  | { readonly kind: "illegal_transition"; readonly from: string; readonly to: string; readonly allowed: readonly string[] }
  | { readonly kind: "too_many_keys"; readonly limit: number }
  | { readonly kind: "too_many_digest_keys"; readonly limit: number }
  | { readonly kind: "policy_not_in_force" }
  /** Nobody could tell who signed what is loaded. */
  | { readonly kind: "policy_unsigned" }
  /** `why`: a sentence without its full stop. */
  | { readonly kind: "bundle_conflict"; readonly why: string }
  | { readonly kind: "bundle_in_force"; readonly digest: string }
  | { readonly kind: "bundle_not_found"; readonly digest: string }
  | { readonly kind: "revocation_not_found"; readonly id: string }
  | { readonly kind: "writer_not_found"; readonly id: string }
  /** The caller named a revision, and the entry has moved on. */
  | { readonly kind: "revision_mismatch"; readonly expected: number; readonly current: number }
  /** Others kept changing the same entry for as long as this change tried. */
  | { readonly kind: "contended"; readonly tenantId: string };

/** As in the data path, a refusal is a value, so that no step can forget it. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly refusal: ControlRefusal };

export function done<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

export function no(refusal: ControlRefusal): { readonly ok: false; readonly refusal: ControlRefusal } {
  return { ok: false, refusal };
}

/** `undefined` where nothing is wrong, so that callers write `const wrong = invalid(problems); if (wrong) return wrong`. */
export function invalid(problems: readonly Problem[]): { readonly ok: false; readonly refusal: ControlRefusal } | undefined {
  return problems.length === 0 ? undefined : no({ kind: "invalid", problems });
}
