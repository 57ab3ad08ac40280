import type { HeaderList } from "../edge.ts";
import type { Surface, Wire } from "../region/catalogue.ts";

/** An error as a provider gives it; the wire decides which of these fields its body shows. */
export interface UpstreamError {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  readonly headers: HeaderList;
}

function error(status: number, type: string, code: string | null, message: string, param: string | null = null): UpstreamError {
  return { status, type, code, message, param, headers: [] };
}

export function errorBody(wire: Wire, { type, code, message, param, status }: UpstreamError, requestId: string): string {
  switch (wire) {
    case "anthropic":
      return JSON.stringify({ type: "error", error: { type, message }, request_id: requestId });
    case "openai":
      return JSON.stringify({ error: { message, type, param, code } });
    case "azure":
      // Azure's own front end answers with code and message alone; what the model's side found wrong looks as on OpenAI.
      return JSON.stringify({
        error: type === "azure" ? { code: code ?? String(status), message } : { message, type, param, code },
      });
  }
}

export function invalidRequest(message: string, param: string | null = null, code: string | null = null): UpstreamError {
  return error(400, "invalid_request_error", code, message, param);
}

export function missingParameter(wire: Wire, param: string): UpstreamError {
  return wire === "anthropic"
    ? invalidRequest(`${param}: Field required`, param)
    : invalidRequest(`Missing required parameter: '${param}'.`, param, "missing_required_parameter");
}

export function notAnObject(wire: Wire): UpstreamError {
  return invalidRequest(
    wire === "anthropic" ? "The request body is not valid JSON." : "We could not parse the JSON body of your request.",
  );
}

export function notAuthenticated(wire: Wire, keyWasSent: boolean): UpstreamError {
  switch (wire) {
    case "anthropic":
      return error(401, "authentication_error", null, keyWasSent ? "invalid x-api-key" : "x-api-key header is required");
    case "azure":
      return error(
        401,
        "azure",
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
      );
    case "openai":
      return keyWasSent
        ? error(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: (not shown).")
        : error(
            401,
            "invalid_request_error",
            null,
            "You didn't provide an API key. Send it in an Authorization header using Bearer auth.",
          );
  }
}

export function unknownDeployment(wire: Wire, name: string): UpstreamError {
  switch (wire) {
    case "anthropic":
      return error(404, "not_found_error", null, `model: ${name}`);
    case "azure":
      return error(
        404,
        "azure",
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
      );
    case "openai":
      return error(
        404,
        "invalid_request_error",
        "model_not_found",
        `The model \`${name}\` does not exist or you do not have access to it.`,
      );
  }
}

export function surfaceNotServed(wire: Wire, name: string, surface: Surface): UpstreamError {
  return wire === "azure"
    ? error(
        400,
        "azure",
        "OperationNotSupported",
        `The ${surface} operation does not work with the specified model, ${name}. Please choose different model and try again.`,
      )
    : error(
        404,
        "invalid_request_error",
        null,
        `The model ${name} is not supported in the v1/${surface.replace(".", "/")} endpoint.`,
        "model",
      );
}

export function unknownPath(wire: Wire, method: string, path: string): UpstreamError {
  switch (wire) {
    case "anthropic":
      return error(404, "not_found_error", null, "Not found");
    case "azure":
      return error(404, "azure", "404", "Resource not found");
    case "openai":
      return error(404, "invalid_request_error", null, `Invalid URL (${method} ${path})`);
  }
}

export function wrongMethod(wire: Wire, method: string): UpstreamError {
  const type = wire === "azure" ? "azure" : "invalid_request_error";
  return error(405, type, wire === "azure" ? "405" : null, `Not allowed to ${method} this path.`);
}

/** A stored response of another region is as unknown here as one that never was. */
export function unknownResponse(id: string): UpstreamError {
  return error(404, "invalid_request_error", null, `Response with id '${id}' not found.`);
}

/** Providers answer 400 here, and 404 only where the id stands in the path. */
export function unknownPreviousResponse(id: string): UpstreamError {
  return invalidRequest(`Previous response with id '${id}' not found.`, "previous_response_id", "previous_response_not_found");
}

const anthropicTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The error that a provider would give for a bare status; `code` and `message` where a fault names them. */
export function errorOfStatus(wire: Wire, status: number, code?: string, message?: string): UpstreamError {
  const sentence = message ?? `Simulated fault: status ${status}.`;
  if (wire === "anthropic")
    return error(status, anthropicTypes[status] ?? (status < 500 ? "invalid_request_error" : "api_error"), null, sentence);
  if (wire === "azure") return error(status, "azure", code ?? String(status), sentence);
  if (status === 429) {
    const found = code ?? "rate_limit_exceeded";
    return error(status, found === "insufficient_quota" ? found : "requests", found, sentence);
  }
  return error(status, status < 500 ? "invalid_request_error" : "server_error", code ?? null, sentence);
}
