import type { Refusal, RefusalKind, RetryAdvice } from "../../src/refusal.ts";

/** What a client must see of one refusal, in each dialect. */
export interface RefusalCase<Kind extends RefusalKind> {
  readonly refusal: Extract<Refusal, { kind: Kind }>;
  readonly openai: readonly [status: number, type: string, code: string | null];
  readonly azure: readonly [status: number, code: string];
  readonly anthropic: readonly [status: number, type: string];
  readonly param?: string;
  readonly retry: RetryAdvice["retry"];
}

const invalidRequest = "invalid_request_error";
const limit = {
  limitedBy: "tenant",
  limit: "tokens-per-minute",
  unit: "tokens",
  window: "minute",
  ceiling: 1_000,
  asked: 600,
} as const;

/** One case for each kind: a new refusal does not compile until what it says is written down here. */
export const refusalCases: { readonly [Kind in RefusalKind]: RefusalCase<Kind> } = {
  route_not_found: {
    refusal: { kind: "route_not_found" },
    openai: [404, invalidRequest, "unknown_url"],
    azure: [404, "404"],
    anthropic: [404, "not_found_error"],
    retry: "never",
  },
  method_not_allowed: {
    refusal: { kind: "method_not_allowed", allow: "GET, POST" },
    openai: [405, invalidRequest, "method_not_allowed"],
    azure: [405, "method_not_allowed"],
    anthropic: [405, invalidRequest],
    retry: "never",
  },
  unsupported_content_type: {
    refusal: { kind: "unsupported_content_type", contentType: "text/plain" },
    openai: [415, invalidRequest, "unsupported_content_type"],
    azure: [415, "unsupported_content_type"],
    anthropic: [415, invalidRequest],
    retry: "never",
  },
  unsupported_content_encoding: {
    refusal: { kind: "unsupported_content_encoding", encoding: "gzip" },
    openai: [415, invalidRequest, "unsupported_content_encoding"],
    azure: [415, "unsupported_content_encoding"],
    anthropic: [415, invalidRequest],
    retry: "never",
  },
  body_too_large: {
    refusal: { kind: "body_too_large", limitBytes: 100 },
    openai: [413, invalidRequest, "request_too_large"],
    azure: [413, "request_too_large"],
    anthropic: [413, "request_too_large"],
    retry: "never",
  },
  body_cut_off: {
    refusal: { kind: "body_cut_off" },
    openai: [400, invalidRequest, "body_cut_off"],
    azure: [400, "body_cut_off"],
    anthropic: [400, invalidRequest],
    retry: "never",
  },
  invalid_utf8: {
    refusal: { kind: "invalid_utf8" },
    openai: [400, invalidRequest, "invalid_utf8"],
    azure: [400, "invalid_utf8"],
    anthropic: [400, invalidRequest],
    retry: "never",
  },
  invalid_json: {
    refusal: { kind: "invalid_json", detail: "syntax error at character 5" },
    openai: [400, invalidRequest, "invalid_json"],
    azure: [400, "invalid_json"],
    anthropic: [400, invalidRequest],
    retry: "never",
  },
  json_too_deep: {
    refusal: { kind: "json_too_deep", limit: 128 },
    openai: [400, invalidRequest, "json_too_deep"],
    azure: [400, "json_too_deep"],
    anthropic: [400, invalidRequest],
    retry: "never",
  },
  duplicate_key: {
    refusal: { kind: "duplicate_key", param: "model" },
    openai: [400, invalidRequest, "duplicate_key"],
    azure: [400, "duplicate_key"],
    anthropic: [400, invalidRequest],
    param: "model",
    retry: "never",
  },
  missing_field: {
    refusal: { kind: "missing_field", param: "messages" },
    openai: [400, invalidRequest, "missing_required_parameter"],
    azure: [400, "missing_required_parameter"],
    anthropic: [400, invalidRequest],
    param: "messages",
    retry: "never",
  },
  invalid_field: {
    refusal: { kind: "invalid_field", param: "n", expected: "an integer from 1 to 128" },
    openai: [400, invalidRequest, "invalid_value"],
    azure: [400, "invalid_value"],
    anthropic: [400, invalidRequest],
    param: "n",
    retry: "never",
  },
  unsupported_field: {
    refusal: { kind: "unsupported_field", param: "background", detail: "use stream." },
    openai: [400, invalidRequest, "unsupported_parameter"],
    azure: [400, "unsupported_parameter"],
    anthropic: [400, invalidRequest],
    param: "background",
    retry: "never",
  },
  missing_key: {
    refusal: { kind: "missing_key" },
    openai: [401, invalidRequest, null],
    azure: [401, "401"],
    anthropic: [401, "authentication_error"],
    retry: "never",
  },
  invalid_key: {
    refusal: { kind: "invalid_key" },
    openai: [401, invalidRequest, "invalid_api_key"],
    azure: [401, "401"],
    anthropic: [401, "authentication_error"],
    retry: "never",
  },
  expired_key: {
    refusal: { kind: "expired_key" },
    openai: [401, invalidRequest, "expired_api_key"],
    azure: [401, "401"],
    anthropic: [401, "authentication_error"],
    retry: "never",
  },
  revoked_key: {
    refusal: { kind: "revoked_key" },
    openai: [401, invalidRequest, "revoked_api_key"],
    azure: [401, "401"],
    anthropic: [401, "authentication_error"],
    retry: "never",
  },
  key_scope: {
    refusal: { kind: "key_scope", detail: "embeddings is not among its calls" },
    openai: [403, "request_forbidden", "insufficient_scope"],
    azure: [403, "insufficient_scope"],
    anthropic: [403, "permission_error"],
    retry: "never",
  },
  tenant_not_verified: {
    refusal: { kind: "tenant_not_verified", state: "suspended" },
    openai: [403, "request_forbidden", "tenant_not_verified"],
    azure: [403, "tenant_not_verified"],
    anthropic: [403, "permission_error"],
    retry: "never",
  },
  policy_not_in_force: {
    refusal: { kind: "policy_not_in_force" },
    openai: [503, "server_error", "policy_not_in_force"],
    azure: [503, "ServiceUnavailable"],
    anthropic: [529, "overloaded_error"],
    retry: "as_usual",
  },
  model_not_found: {
    refusal: { kind: "model_not_found", model: "gpt-9" },
    openai: [404, invalidRequest, "model_not_found"],
    azure: [404, "DeploymentNotFound"],
    anthropic: [404, "not_found_error"],
    param: "model",
    retry: "never",
  },
  surface_not_served: {
    refusal: { kind: "surface_not_served", model: "gpt-9", surface: "embeddings" },
    openai: [404, invalidRequest, "model_not_found"],
    azure: [404, "DeploymentNotFound"],
    anthropic: [404, "not_found_error"],
    param: "model",
    retry: "never",
  },
  policy_denied: {
    refusal: {
      kind: "policy_denied",
      model: "m",
      rule: "own_jurisdiction",
      reasons: ["jp-east"],
      sentence: "A tenant is not served from its own jurisdiction.",
    },
    openai: [403, "request_forbidden", "unsupported_country_region_territory"],
    azure: [403, "unsupported_country_region_territory"],
    anthropic: [403, "permission_error"],
    retry: "never",
  },
  fact_unknown: {
    refusal: { kind: "fact_unknown", model: "m", fact: "the ultimate parent's country" },
    openai: [403, "request_forbidden", "unsupported_country_region_territory"],
    azure: [403, "unsupported_country_region_territory"],
    anthropic: [403, "permission_error"],
    retry: "never",
  },
  response_not_found: {
    refusal: { kind: "response_not_found", id: "resp_1" },
    openai: [404, invalidRequest, null],
    azure: [404, "404"],
    anthropic: [404, "not_found_error"],
    retry: "never",
  },
  receipt_not_found: {
    refusal: { kind: "receipt_not_found", id: "req_1" },
    openai: [404, invalidRequest, null],
    azure: [404, "404"],
    anthropic: [404, "not_found_error"],
    retry: "never",
  },
  limit_reached: {
    refusal: { kind: "limit_reached", ...limit, remaining: 10, retryAfterMs: 1_500 },
    openai: [429, "tokens", "rate_limit_exceeded"],
    azure: [429, "RateLimitReached"],
    anthropic: [429, "rate_limit_error"],
    retry: "after",
  },
  never_fits: {
    refusal: { kind: "never_fits", ...limit, asked: 2_000 },
    openai: [429, "tokens", "request_exceeds_limit"],
    azure: [429, "RequestExceedsLimit"],
    anthropic: [429, "rate_limit_error"],
    retry: "never",
  },
  store_unavailable: {
    refusal: { kind: "store_unavailable", retryAfterMs: 1_000 },
    openai: [503, "server_error", "gateway_store_unavailable"],
    azure: [503, "ServiceUnavailable"],
    anthropic: [529, "overloaded_error"],
    retry: "after",
  },
  no_deployment_available: {
    refusal: { kind: "no_deployment_available", retryAfterMs: 1_000 },
    openai: [503, "server_error", "no_deployment_available"],
    azure: [503, "ServiceUnavailable"],
    anthropic: [529, "overloaded_error"],
    retry: "after",
  },
  upstream_busy: {
    refusal: { kind: "upstream_busy", retryAfterMs: 1_000 },
    openai: [503, "server_error", "upstream_busy"],
    azure: [503, "ServiceUnavailable"],
    anthropic: [529, "overloaded_error"],
    retry: "after",
  },
  upstream_failed: {
    refusal: { kind: "upstream_failed", detail: "it broke the connection off" },
    openai: [502, "server_error", "upstream_failed"],
    azure: [502, "upstream_failed"],
    anthropic: [502, "api_error"],
    retry: "as_usual",
  },
  upstream_timeout: {
    refusal: { kind: "upstream_timeout", deadline: "first_byte" },
    openai: [504, "server_error", "upstream_timeout"],
    azure: [504, "upstream_timeout"],
    anthropic: [504, "timeout_error"],
    retry: "as_usual",
  },
  upstream_cut_off: {
    refusal: { kind: "upstream_cut_off" },
    openai: [502, "server_error", "upstream_cut_off"],
    azure: [502, "upstream_cut_off"],
    anthropic: [502, "api_error"],
    retry: "as_usual",
  },
  revoked: {
    refusal: { kind: "revoked" },
    openai: [403, "request_forbidden", "revoked"],
    azure: [403, "revoked"],
    anthropic: [403, "permission_error"],
    retry: "never",
  },
  shutting_down: {
    refusal: { kind: "shutting_down" },
    openai: [503, "server_error", "gateway_restarting"],
    azure: [503, "ServiceUnavailable"],
    anthropic: [529, "overloaded_error"],
    retry: "after",
  },
  internal: {
    refusal: { kind: "internal" },
    openai: [500, "server_error", "internal_error"],
    azure: [500, "internal_error"],
    anthropic: [500, "api_error"],
    retry: "as_usual",
  },
};

export const everyRefusal: readonly Refusal[] = Object.values(refusalCases).map(({ refusal }) => refusal);
