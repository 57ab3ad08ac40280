/**
 * Every reason for which Strait says no. What each dialect says for it stands in `describe-refusal.ts`, where a new
 * reason does not compile until it has a status, a code and a sentence.
 */

import type { LimitUnit, LimitWindow } from "./limit-unit.ts";

/** The kinds of policy rule that can refuse; a refusal says which, so that a tenant knows whom to ask. */
export type RuleKind =
  | "weights_location" // the model's weights must not be in any candidate's countries
  | "own_jurisdiction" // a tenant is not served from its own jurisdiction
  | "tenant_countries" // the tenant's own allow and deny lists
  | "ownership" // who owns the tenant
  | "tier" // the model's tier is not open to this country group
  | "withdrawal" // the model was withdrawn from this tenant and others
  | "end_use" // the declared end use
  | "nationality" // what the client claims of its end user
  | "hosted_tools" // a tool that the upstream would run itself
  | "log_probabilities" // asking for what a model can be copied by
  | "evidence"; // the least grade of evidence asked for

/** Which party's ceiling it was: a client must know whom to ask for more. */
export type LimitedBy = "tenant" | "key" | "model" | "tier" | "end user" | "gateway" | "upstream";

export type Refusal =
  // The request itself.
  | { readonly kind: "route_not_found" }
  | { readonly kind: "method_not_allowed"; readonly allow: string }
  | { readonly kind: "unsupported_content_type"; readonly contentType: string }
  | { readonly kind: "unsupported_content_encoding"; readonly encoding: string }
  | { readonly kind: "body_too_large"; readonly limitBytes: number }
  | { readonly kind: "body_cut_off" }
  | { readonly kind: "invalid_utf8" }
  | { readonly kind: "invalid_json"; readonly detail: string }
  | { readonly kind: "json_too_deep"; readonly limit: number }
  | { readonly kind: "duplicate_key"; readonly param: string }
  | { readonly kind: "missing_field"; readonly param: string }
  | { readonly kind: "invalid_field"; readonly param: string; readonly expected: string }
  | { readonly kind: "unsupported_field"; readonly param: string; readonly detail: string }
  // Who asks.
  | { readonly kind: "missing_key" }
  | { readonly kind: "invalid_key" }
  | { readonly kind: "expired_key" }
  | { readonly kind: "revoked_key" }
  | { readonly kind: "key_scope"; readonly detail: string }
  | { readonly kind: "tenant_not_verified"; readonly state: string }
  /** Verified, but what showed it holds no more. */
  | { readonly kind: "verification_expired"; readonly expiredAt: string }
  // What and where.
  | { readonly kind: "policy_not_in_force" }
  | { readonly kind: "model_not_found"; readonly model: string }
  | { readonly kind: "surface_not_served"; readonly model: string; readonly surface: string }
  | {
      readonly kind: "policy_denied";
      readonly model: string;
      readonly rule: RuleKind;
      readonly reasons: readonly string[];
      readonly sentence: string;
    }
  | { readonly kind: "fact_unknown"; readonly model: string; readonly fact: string }
  | { readonly kind: "fact_stale"; readonly model: string; readonly fact: string }
  | { readonly kind: "fact_conflicting"; readonly model: string; readonly fact: string }
  /** Refused until somebody has looked at it. */
  | {
      readonly kind: "policy_review";
      readonly model: string;
      readonly rule: RuleKind;
      readonly reasons: readonly string[];
      readonly sentence: string;
    }
  | { readonly kind: "response_not_found"; readonly id: string }
  | { readonly kind: "receipt_not_found"; readonly id: string }
  // How much.
  | {
      readonly kind: "limit_reached";
      readonly limitedBy: LimitedBy;
      readonly limit: string;
      readonly unit: LimitUnit;
      readonly window: LimitWindow;
      readonly ceiling: number;
      /** `minute`: what the bucket holds, where that is not a minute's worth. */
      readonly burst?: number | undefined;
      readonly asked: number;
      readonly remaining: number;
      /** Milliseconds until this request could fit, as far as the limit's own state tells. */
      readonly retryAfterMs: number;
      /** `day` and `month`: when the period ends, in milliseconds since the epoch. */
      readonly periodEndsMs?: number | undefined;
      /** `day` and `month`: enough is unused, but open requests hold it, and may give it back before the period ends. */
      readonly heldByOpen?: boolean | undefined;
    }
  | {
      readonly kind: "never_fits";
      readonly limitedBy: LimitedBy;
      readonly limit: string;
      readonly unit: LimitUnit;
      readonly window: LimitWindow;
      readonly ceiling: number;
      readonly burst?: number | undefined;
      readonly asked: number;
    }
  | { readonly kind: "store_unavailable"; readonly retryAfterMs: number }
  // The upstream.
  | { readonly kind: "no_deployment_available"; readonly retryAfterMs: number }
  | { readonly kind: "upstream_busy"; readonly retryAfterMs: number }
  | { readonly kind: "upstream_failed"; readonly detail: string }
  | { readonly kind: "upstream_timeout"; readonly deadline: "connect" | "first_byte" | "idle" | "total" }
  | { readonly kind: "upstream_cut_off" }
  /** It answered from elsewhere, or by another model, than declared. */
  | { readonly kind: "place_mismatch" }
  // The gateway.
  | {
      readonly kind: "revoked";
      /** The order's id, or `key` or `tenant` where that itself was revoked or suspended. */
      readonly order?: string | undefined;
    }
  // An upstream contradicted its declared place.
  | {
      readonly kind: "quarantined";
      readonly order?: string | undefined;
      /** `cut`: it was answering this. `nothing_left`: it and its like are all that the tenant may use. */
      readonly what: "cut" | "nothing_left";
    }
  // Nothing was heard of revocations for so long that one may have been missed.
  | { readonly kind: "revocations_unknown"; readonly retryAfterMs: number }
  | { readonly kind: "shutting_down" }
  | { readonly kind: "internal" };

export type RefusalKind = Refusal["kind"];

/** What an order took away: refused before anything ran, or cut. */
export function isWithdrawal(refusal: Refusal | undefined): refusal is Extract<Refusal, { kind: "revoked" | "quarantined" }> {
  return refusal?.kind === "revoked" || refusal?.kind === "quarantined";
}

/** What a client is told to do next. `never` also sends `x-should-retry: false`, or SDKs retry a hopeless request. */
export type RetryAdvice =
  | { readonly retry: "never" }
  | { readonly retry: "after"; readonly delayMs: number }
  | { readonly retry: "as_usual" };

export interface RefusalAnswer {
  readonly status: number;
  /** Anthropic's own status where it differs (529, 504). */
  readonly anthropicStatus?: number;
  readonly openai: { readonly type: string; readonly code: string | null };
  readonly azure: { readonly code: string };
  readonly anthropic: { readonly type: string };
  /** The field of the request at fault, where one is. */
  readonly param: string | null;
  /** One or two sentences for the caller: what is wrong and what to do. Never a secret, an upstream host or another tenant's data. */
  readonly message: string;
  readonly advice: RetryAdvice;
}
