import type { DialectName } from "./dialect/dialect.ts";
import type { Surface } from "./region/catalogue.ts";

export type Action =
  | { readonly kind: "model"; readonly surface: Surface }
  | { readonly kind: "stored_response" }
  | { readonly kind: "list_models" }
  | { readonly kind: "show_model" }
  | { readonly kind: "show_receipt" }
  | { readonly kind: "prove_receipt" }
  | { readonly kind: "show_usage" }
  | { readonly kind: "show_digest_keys" }
  | { readonly kind: "show_checkpoint" }
  | { readonly kind: "show_consistency" }
  | { readonly kind: "log_keys" }
  | { readonly kind: "health" };

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** In Hono's pattern language. */
  readonly path: string;
  /** `shared`: OpenAI and Anthropic use the same path, and their headers tell them apart. */
  readonly dialect: DialectName | "shared";
  readonly action: Action;
}

function post(dialect: DialectName, path: string, surface: Surface): Route {
  return { method: "POST", path, dialect, action: { kind: "model", surface } };
}

function get(dialect: DialectName | "shared", path: string, action: Action): Route {
  return { method: "GET", path, dialect, action };
}

function storedResponses(dialect: DialectName, path: string): readonly Route[] {
  const action: Action = { kind: "stored_response" };
  return [get(dialect, path, action), { method: "DELETE", path, dialect, action }];
}

/** Every path of the data plane. All of them demand a tenant's key, save those in `publicPaths`. */
export const routes: readonly Route[] = [
  post("openai", "/v1/chat/completions", "chat.completions"),
  post("openai", "/v1/completions", "completions"),
  post("openai", "/v1/embeddings", "embeddings"),
  post("openai", "/v1/responses", "responses"),
  ...storedResponses("openai", "/v1/responses/:id"),
  get("shared", "/v1/models", { kind: "list_models" }),
  get("shared", "/v1/models/:model", { kind: "show_model" }),

  post("azure", "/openai/deployments/:deployment/chat/completions", "chat.completions"),
  post("azure", "/openai/deployments/:deployment/completions", "completions"),
  post("azure", "/openai/deployments/:deployment/embeddings", "embeddings"),
  post("azure", "/openai/responses", "responses"),
  ...storedResponses("azure", "/openai/responses/:id"),
  get("azure", "/openai/models", { kind: "list_models" }),
  get("azure", "/openai/models/:model", { kind: "show_model" }),

  post("azure", "/openai/v1/chat/completions", "chat.completions"),
  post("azure", "/openai/v1/completions", "completions"),
  post("azure", "/openai/v1/embeddings", "embeddings"),
  post("azure", "/openai/v1/responses", "responses"),
  ...storedResponses("azure", "/openai/v1/responses/:id"),
  get("azure", "/openai/v1/models", { kind: "list_models" }),
  get("azure", "/openai/v1/models/:model", { kind: "show_model" }),

  post("anthropic", "/v1/messages", "messages"),
  post("anthropic", "/v1/messages/count_tokens", "count_tokens"),

  get("shared", "/v1/strait/receipts/:id", { kind: "show_receipt" }),
  get("shared", "/v1/strait/receipts/:id/proof", { kind: "prove_receipt" }),
  get("shared", "/v1/strait/usage", { kind: "show_usage" }),
  get("shared", "/v1/strait/digest-keys", { kind: "show_digest_keys" }),
  get("shared", "/v1/strait/log/checkpoint", { kind: "show_checkpoint" }),
  get("shared", "/v1/strait/log/consistency", { kind: "show_consistency" }),
  get("openai", "/.well-known/strait/jwks.json", { kind: "log_keys" }),
  get("openai", "/healthz", { kind: "health" }),
];

/** The paths that anyone may call. Whatever is not named here demands a key, and a test walks every route to see it. */
export const publicPaths: ReadonlySet<string> = new Set(["/healthz", "/.well-known/strait/jwks.json"]);
