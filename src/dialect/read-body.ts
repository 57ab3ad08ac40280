import { refuse, type Decision } from "../decision.ts";
import type { Inbound } from "../edge.ts";
import type { Surface } from "../region/catalogue.ts";
import type { ClientHints } from "./client-hints.ts";
import type { ModelRequest } from "./model-request.ts";
import { readModelRequest } from "./read-request.ts";

/** Reads a request's body within its bound, and of it the few fields that decisions need; `seen` gets it as it came. */
export async function readBody(
  surface: Surface,
  inbound: Inbound,
  modelFromPath: string | undefined,
  limitBytes: number,
  seen: (body: Uint8Array) => void,
): Promise<Decision<ModelRequest>> {
  const encoding = inbound.header("content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity")
    return refuse({ kind: "unsupported_content_encoding", encoding });
  const contentType = inbound.header("content-type") ?? "";
  if (!isJson(contentType)) return refuse({ kind: "unsupported_content_type", contentType });
  const read = await inbound.body(limitBytes);
  if (!read.ok) return refuse(read.reason === "too_large" ? { kind: "body_too_large", limitBytes } : { kind: "body_cut_off" });
  seen(read.bytes);
  return readModelRequest(surface, read.bytes, modelFromPath);
}

/** What an upstream must know beside the body; anything that does not look as it should is not passed on. */
export function readHints(inbound: Inbound, stream: boolean): ClientHints {
  return {
    apiVersion: matching(queryValue(inbound.query, "api-version"), /^\d{4}-\d{2}-\d{2}(-preview)?$/),
    anthropicVersion: matching(inbound.header("anthropic-version"), /^\d{4}-\d{2}-\d{2}$/),
    anthropicBeta: matching(inbound.header("anthropic-beta"), /^[a-z0-9.,_ -]{1,1024}$/i),
    stream,
  };
}

function isJson(contentType: string): boolean {
  return contentType === "application/json" || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType.trim());
}

function queryValue(query: string, name: string): string | undefined {
  return query === "" ? undefined : (new URLSearchParams(query).get(name) ?? undefined);
}

function matching(value: string | undefined, pattern: RegExp): string | undefined {
  return value !== undefined && pattern.test(value) ? value : undefined;
}
