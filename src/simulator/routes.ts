import type { Surface, Wire } from "../region/catalogue.ts";

export type Route =
  /** `name` is set where the path names the deployment. */
  | { readonly kind: "call"; readonly surface: Surface; readonly name: string | undefined }
  | { readonly kind: "stored_response"; readonly id: string }
  | { readonly kind: "wrong_method" }
  | { readonly kind: "unknown" };

const openaiSurfaces: Readonly<Record<string, Surface>> = {
  "chat/completions": "chat.completions",
  completions: "completions",
  embeddings: "embeddings",
  responses: "responses",
};

const anthropicSurfaces: Readonly<Record<string, Surface>> = { messages: "messages", "messages/count_tokens": "count_tokens" };

/** Reads a path behind the region's prefix, as the provider of that wire would. */
export function routeOf(wire: Wire, method: string, path: string, query: string): Route {
  switch (wire) {
    case "openai":
      return path.startsWith("/v1/") ? openaiRoute(method, path.slice("/v1/".length)) : { kind: "unknown" };
    case "anthropic":
      return path.startsWith("/v1/") ? callRoute(method, anthropicSurfaces[path.slice("/v1/".length)]) : { kind: "unknown" };
    case "azure":
      return azureRoute(method, path, query);
  }
}

function azureRoute(method: string, path: string, query: string): Route {
  if (path.startsWith("/openai/v1/")) return openaiRoute(method, path.slice("/openai/v1/".length));
  // Without its version Azure knows none of its older paths.
  if (!path.startsWith("/openai/") || !new URLSearchParams(query).has("api-version")) return { kind: "unknown" };
  const rest = path.slice("/openai/".length);
  if (rest === "responses" || rest.startsWith("responses/")) return openaiRoute(method, rest);
  const [, name, operation] = /^deployments\/([^/]+)\/(chat\/completions|completions|embeddings)$/.exec(rest) ?? [];
  if (name === undefined || operation === undefined) return { kind: "unknown" };
  return callRoute(method, openaiSurfaces[operation], decoded(name));
}

function openaiRoute(method: string, rest: string): Route {
  const [, id] = /^responses\/([^/]+)$/.exec(rest) ?? [];
  if (id === undefined) return callRoute(method, openaiSurfaces[rest]);
  return method === "GET" || method === "DELETE" ? { kind: "stored_response", id: decoded(id) } : { kind: "wrong_method" };
}

function callRoute(method: string, surface: Surface | undefined, name?: string): Route {
  if (surface === undefined) return { kind: "unknown" };
  return method === "POST" ? { kind: "call", surface, name } : { kind: "wrong_method" };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
