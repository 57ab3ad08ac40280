import type { ClientHints } from "../dialect/client-hints.ts";
import type { HeaderList } from "../edge.ts";
import type { Deployment, Region, Surface } from "../region/catalogue.ts";
import type { UpstreamRequest } from "./transport.ts";

/** A request to one stored response, instead of one that makes a new one. */
export interface StoredResponse {
  readonly id: string;
  readonly method: "GET" | "DELETE";
  readonly query: string;
}

export type Credentials = (region: Region) => string | undefined;

const defaultAnthropicVersion = "2023-06-01";

const paths: Record<Surface, string> = {
  "chat.completions": "chat/completions",
  completions: "completions",
  embeddings: "embeddings",
  responses: "responses",
  messages: "messages",
  count_tokens: "messages/count_tokens",
};

/** The one request that a deployment gets: address, credential, allowed headers, body. */
export function upstreamRequest(
  deployment: Deployment,
  surface: Surface,
  body: Uint8Array | undefined,
  hints: ClientHints,
  credential: string,
  stored?: StoredResponse,
): UpstreamRequest {
  const { origin, base } = splitEndpoint(deployment.region);
  const query = stored === undefined || stored.query === "" ? "" : stored.query;
  const path = `${base}${pathOf(deployment, surface, hints, stored)}`;
  return {
    method: stored?.method ?? "POST",
    origin,
    path: query === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${query}`,
    headers: headersOf(deployment.region, hints, credential, body !== undefined),
    body,
    connection: deployment.region.connection,
  };
}

function pathOf(deployment: Deployment, surface: Surface, hints: ClientHints, stored: StoredResponse | undefined): string {
  const suffix = stored === undefined ? paths[surface] : `responses/${encodeURIComponent(stored.id)}`;
  if (deployment.region.wire !== "azure") return `/v1/${suffix}`;
  const version = hints.apiVersion ?? deployment.region.apiVersion;
  // Without a dated version, Azure's GA surface takes the deployment's name as the model.
  if (version === undefined) return `/openai/v1/${suffix}`;
  if (surface === "responses") return `/openai/${suffix}?api-version=${version}`;
  return `/openai/deployments/${encodeURIComponent(deployment.upstreamName)}/${suffix}?api-version=${version}`;
}

function headersOf(region: Region, hints: ClientHints, credential: string, hasBody: boolean): HeaderList {
  const headers = ["accept", hints.stream ? "text/event-stream" : "application/json", "user-agent", "strait"];
  if (hasBody) headers.push("content-type", "application/json");
  switch (region.wire) {
    case "azure":
      headers.push("api-key", credential);
      break;
    case "openai":
      headers.push("authorization", `Bearer ${credential}`);
      break;
    case "anthropic":
      headers.push("x-api-key", credential, "anthropic-version", hints.anthropicVersion ?? defaultAnthropicVersion);
      if (hints.anthropicBeta !== undefined) headers.push("anthropic-beta", hints.anthropicBeta);
  }
  return headers;
}

const endpoints = new WeakMap<Region, { readonly origin: string; readonly base: string }>();

function splitEndpoint(region: Region): { readonly origin: string; readonly base: string } {
  let split = endpoints.get(region);
  if (split === undefined) {
    const url = new URL(region.endpoint);
    split = { origin: url.origin, base: url.pathname.replace(/\/+$/, "") };
    endpoints.set(region, split);
  }
  return split;
}
