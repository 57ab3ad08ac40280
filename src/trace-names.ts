/**
 * Names of spans and attributes, in one place: OpenTelemetry's semantic conventions for HTTP and generative AI, and
 * Strait's own under `strait.`. No attribute holds prompt text, an answer or a secret.
 */
export const attribute = {
  httpMethod: "http.request.method",
  httpRoute: "http.route",
  httpStatus: "http.response.status_code",
  urlPath: "url.path",
  serverAddress: "server.address",
  errorType: "error.type",
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  responseModel: "gen_ai.response.model",
  responseId: "gen_ai.response.id",
  maxTokens: "gen_ai.request.max_tokens",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  requestId: "strait.request.id",
  dialect: "strait.dialect",
  tenant: "strait.tenant.id",
  key: "strait.key.id",
  stream: "strait.stream",
  policyVersion: "strait.policy.version",
  rules: "strait.policy.rules",
  admitted: "strait.policy.admitted",
  refusedCandidates: "strait.policy.refused",
  refusal: "strait.refusal.kind",
  limit: "strait.limit.name",
  limitsNear: "strait.limit.near",
  limitsShadowed: "strait.limit.shadowed",
  endUser: "strait.end_user",
  heldTokens: "strait.held.tokens",
  heldMicroUsd: "strait.held.micro_usd",
  deployment: "strait.deployment",
  region: "strait.region",
  countries: "strait.countries",
  attempt: "strait.attempt",
  outcome: "strait.attempt.outcome",
  mismatch: "strait.place.mismatch",
  upstreamRequestId: "strait.upstream.request.id",
  end: "strait.end",
  usageSource: "strait.usage.source",
  chargedTokens: "strait.charged.tokens",
  costMicroUsd: "strait.cost.micro_usd",
} as const;

export const spanName = {
  authenticate: "strait.authenticate",
  authorise: "strait.authorise",
  reserve: "strait.reserve",
  settle: "strait.settle",
} as const;

/** An event of the exchange's span. */
export const placeMismatchEvent = "strait.place_mismatch";

/** `gen_ai.operation.name` by surface. */
export const operationName = {
  "chat.completions": "chat",
  completions: "text_completion",
  embeddings: "embeddings",
  responses: "chat",
  messages: "chat",
  count_tokens: "count_tokens",
} as const;

/** `gen_ai.provider.name` by wire. */
export const providerName = { openai: "openai", azure: "azure.ai.openai", anthropic: "anthropic" } as const;
