/**
 * What a client is told of each refusal, in every dialect: the one place where a reason becomes a status, a code and a
 * sentence, so that no refusal can reach a client half-formed.
 */
import { limitReached, neverFits } from "./describe-limit-refusal.ts";
import { after, asUsual, longestQuote, never, quoted, type Parts } from "./refusal-parts.ts";
import type { Refusal, RefusalAnswer, RetryAdvice, RuleKind } from "./refusal.ts";

function invalid(status: number, code: string | null, message: string, param?: string): Parts {
  const anthropicType = status === 404 ? "not_found_error" : status === 413 ? "request_too_large" : "invalid_request_error";
  return {
    status,
    openai: { type: "invalid_request_error", code },
    azure: { code: status === 404 ? "404" : (code ?? "BadRequest") },
    anthropic: { type: anthropicType },
    message,
    advice: never,
    ...(param === undefined ? {} : { param: param.slice(0, longestQuote) }),
  };
}

function unauthenticated(code: string | null, message: string): Parts {
  return {
    status: 401,
    openai: { type: "invalid_request_error", code },
    azure: { code: "401" },
    anthropic: { type: "authentication_error" },
    message,
    advice: never,
  };
}

function forbidden(code: string, message: string): Parts {
  return {
    status: 403,
    openai: { type: "request_forbidden", code },
    azure: { code },
    anthropic: { type: "permission_error" },
    message,
    advice: never,
  };
}

function unavailable(status: number, code: string, message: string, advice: RetryAdvice): Parts {
  return {
    status,
    ...(status === 503 ? { anthropicStatus: 529 } : {}),
    openai: { type: "server_error", code },
    azure: { code: status === 503 ? "ServiceUnavailable" : code },
    anthropic: { type: status === 503 ? "overloaded_error" : status === 504 ? "timeout_error" : "api_error" },
    message,
    advice,
  };
}

/** An order has a name that the operator can look up; a key or a tenant that was revoked has none. */
function orderName(order: string | undefined): string {
  return order?.startsWith("revocation_") === true ? ` (${order})` : "";
}

function quarantined({ order, what }: Extract<Refusal, { kind: "quarantined" }>): Parts {
  const [message, advice] =
    what === "cut"
      ? ([
          `The deployment that worked on this contradicted, in another answer, where it is declared to run${orderName(order)}. It is out of use now, and your operator is told. Try again; other deployments may serve you.`,
          asUsual,
        ] as const)
      : ([
          `No deployment that you may use can be used at present: an upstream contradicted where it is declared to run${orderName(order)}. Your operator is told, and must look at it before it is used again; a retry does not help before.`,
          never,
        ] as const);
  // Anthropic's `overloaded_error` would be untrue, and is what clients wait for and then ask again.
  return { ...unavailable(503, "quarantined", message, advice), anthropicStatus: 503, anthropic: { type: "api_error" } };
}

function partsOf(refusal: Refusal): Parts {
  switch (refusal.kind) {
    case "route_not_found":
      return invalid(404, "unknown_url", "No such path. The README lists what can be called; check the base URL of your SDK.");
    case "method_not_allowed":
      return invalid(405, "method_not_allowed", `This path does not take that method. Use ${refusal.allow}.`);
    case "unsupported_content_type":
      return invalid(
        415,
        "unsupported_content_type",
        `Send the body as application/json; got ${refusal.contentType === "" ? "no content-type" : quoted(refusal.contentType)}.`,
      );
    case "unsupported_content_encoding":
      return invalid(
        415,
        "unsupported_content_encoding",
        `Send the body uncompressed; content-encoding ${quoted(refusal.encoding)} is not accepted.`,
      );
    case "body_too_large":
      return invalid(413, "request_too_large", `The body is larger than ${refusal.limitBytes} bytes. Send less in one request.`);
    case "body_cut_off":
      return invalid(400, "body_cut_off", "The body ended before it was complete. Send it again.");
    case "invalid_utf8":
      return invalid(400, "invalid_utf8", "The body is not valid UTF-8. Encode it as UTF-8.");
    case "invalid_json":
      return invalid(400, "invalid_json", `The body is not valid JSON: ${refusal.detail}.`);
    case "json_too_deep":
      return invalid(400, "json_too_deep", `The body is nested deeper than ${refusal.limit} levels. Flatten it.`);
    case "duplicate_key":
      return invalid(400, "duplicate_key", `The body names ${quoted(refusal.param)} twice. Name each field once.`, refusal.param);
    case "missing_field":
      return invalid(400, "missing_required_parameter", `Missing required parameter: ${refusal.param}.`, refusal.param);
    case "invalid_field":
      return invalid(400, "invalid_value", `Invalid value for ${refusal.param}: expected ${refusal.expected}.`, refusal.param);
    case "unsupported_field":
      return invalid(
        400,
        "unsupported_parameter",
        `Unsupported parameter ${quoted(refusal.param)}: ${refusal.detail}`,
        refusal.param,
      );
    case "missing_key":
      return unauthenticated(null, "No key was sent. Send your Strait key as Authorization: Bearer, api-key or x-api-key.");
    case "invalid_key":
      return unauthenticated(
        "invalid_api_key",
        "This key or token is not valid here. Send one complete Strait key (sk-strait-…) or a token of your company's own issuer.",
      );
    case "expired_key":
      return unauthenticated(
        "expired_api_key",
        "This key or token has expired. Ask your operator for a new key, or your issuer for a new token.",
      );
    case "revoked_key":
      return unauthenticated("revoked_api_key", "This key was revoked. Ask your operator for a new one.");
    case "key_scope":
      return forbidden(
        "insufficient_scope",
        `This key may not do that: ${refusal.detail}. Ask your operator for a key with a wider scope.`,
      );
    case "tenant_not_verified":
      return forbidden(
        "tenant_not_verified",
        `Your company's verification is "${refusal.state}". Only verified companies are served. Ask your operator.`,
      );
    case "policy_not_in_force":
      return unavailable(
        503,
        "policy_not_in_force",
        "No policy is in force that could admit a request, so none is. Ask your operator.",
        asUsual,
      );
    case "verification_expired":
      return forbidden(
        "verification_expired",
        `What verified your company expired on ${refusal.expiredAt.slice(0, 10)}. Ask your operator to verify it anew, with current documents.`,
      );
    case "model_not_found":
      return {
        ...invalid(
          404,
          "model_not_found",
          `The model ${quoted(refusal.model)} does not exist or you do not have access to it.`,
          "model",
        ),
        azure: { code: "DeploymentNotFound" },
      };
    case "surface_not_served":
      return {
        ...invalid(
          404,
          "model_not_found",
          `The model ${quoted(refusal.model)} is not served on ${refusal.surface} where you may use it.`,
          "model",
        ),
        azure: { code: "DeploymentNotFound" },
      };
    case "policy_denied":
      return forbidden(denialCode(refusal.rule), `${refusal.sentence} (rule ${refusal.rule}: ${refusal.reasons.join(", ")})`);
    case "fact_unknown":
      return forbidden(
        "unsupported_country_region_territory",
        `The model ${quoted(refusal.model)} is refused because a fact that the policy asks for is not known: ${refusal.fact}. Ask your operator to complete it.`,
      );
    case "fact_stale":
      return forbidden(
        "unsupported_country_region_territory",
        `The model ${quoted(refusal.model)} is refused because what shows a fact that the policy asks for is too old: ${refusal.fact}. Ask your operator to renew it.`,
      );
    case "fact_conflicting":
      return forbidden(
        "unsupported_country_region_territory",
        `The model ${quoted(refusal.model)} is refused because current documents disagree on a fact that the policy asks for: ${refusal.fact}. Ask your operator to settle it.`,
      );
    case "policy_review":
      return forbidden(
        "policy_review",
        `${refusal.sentence} Your operator is reviewing whether you may use the model ${quoted(refusal.model)}; until then it is refused. (rule ${refusal.rule}: ${refusal.reasons.join(", ")})`,
      );
    case "response_not_found":
      return invalid(404, null, `Response ${quoted(refusal.id)} was not found.`);
    case "receipt_not_found":
      return invalid(404, null, `No receipt of request ${quoted(refusal.id)} was found.`);
    case "limit_reached":
      return limitReached(refusal);
    case "never_fits":
      return neverFits(refusal);
    case "store_unavailable":
      return unavailable(
        503,
        "gateway_store_unavailable",
        "The gateway cannot check your limits or keep records right now, and serves nothing without. Try again shortly.",
        after(refusal.retryAfterMs),
      );
    case "no_deployment_available":
      return unavailable(
        503,
        "no_deployment_available",
        "No deployment that you may use is healthy right now. Try again shortly.",
        after(refusal.retryAfterMs),
      );
    case "upstream_busy":
      return unavailable(
        503,
        "upstream_busy",
        "The model's deployments that you may use are at capacity (a limit of the upstream, not of yours). Try again shortly.",
        after(refusal.retryAfterMs),
      );
    case "upstream_failed":
      return unavailable(
        502,
        "upstream_failed",
        `The model's deployment failed: ${refusal.detail}. Try again; if it persists, tell your operator the request id.`,
        asUsual,
      );
    case "upstream_timeout":
      return unavailable(
        504,
        "upstream_timeout",
        `The model's deployment did not answer within the ${refusal.deadline.replace("_", "-")} deadline. Try again, with a smaller request or stream if it persists.`,
        asUsual,
      );
    case "upstream_cut_off":
      return unavailable(
        502,
        "upstream_cut_off",
        "The model's deployment stopped before its answer was complete. What was received may be incomplete.",
        asUsual,
      );
    case "place_mismatch":
      return unavailable(
        502,
        "place_mismatch",
        "The answer did not come from where this model is declared to run, so it is withheld. That deployment is now out of use and your operator is told. Try again; other deployments may serve you.",
        asUsual,
      );
    case "revoked":
      return forbidden(
        "revoked",
        `Access was withdrawn by the gateway's operator${orderName(refusal.order)}. Ask your operator when and whether it comes back.`,
      );
    case "quarantined":
      return quarantined(refusal);
    case "revocations_unknown":
      return unavailable(
        503,
        "gateway_revocations_unknown",
        "The gateway cannot learn right now what was revoked, and admits nothing unchecked. Try again shortly.",
        after(refusal.retryAfterMs),
      );
    case "shutting_down":
      return unavailable(503, "gateway_restarting", "The gateway is restarting. Try again.", after(1_000));
    case "internal":
      return unavailable(
        500,
        "internal_error",
        "The gateway failed on this request. The request id tells your operator where to look.",
        asUsual,
      );
  }
}

/** A client whose request is at fault must not be told to look for another country. */
function denialCode(rule: RuleKind): string {
  if (rule === "hosted_tools") return "unsupported_tool";
  return rule === "log_probabilities" ? "unsupported_parameter" : "unsupported_country_region_territory";
}

/** Status, codes, sentence and advice for one refusal. */
export function describeRefusal(refusal: Refusal): RefusalAnswer {
  return { param: null, advice: asUsual, ...partsOf(refusal) };
}
