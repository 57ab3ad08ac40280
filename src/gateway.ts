/**
 * The gateway's front: which path is which call, what is public, and what is said of a path that is none. Routing is
 * Hono's router alone: a framework's request and response objects would cost half of what a bare proxy does, so the
 * data path works on what the edge hands over.
 */
import type { Params, ParamIndexMap } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import type { Dialect, DialectName } from "./dialect/dialect.ts";
import { dialectOf } from "./dialect/dialects.ts";
import type { Inbound, Outbound } from "./edge.ts";
import { exchange } from "./exchange.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { proveReceipt, showCheckpoint, showConsistency } from "./log-lookups.ts";
import { listModels, showDigestKeys, showModel, showReceipt, showUsage } from "./lookups.ts";
import type { Refusal } from "./refusal.ts";
import { Reply } from "./reply.ts";
import { requestId } from "./request-id.ts";
import { routes, type Route } from "./routes.ts";

export interface Gateway {
  /**
   * Answers one request of the data plane and resolves, never rejects, once all of it is done: answered, settled and
   * recorded. `undefined` where the path is none of its own, with nothing written.
   */
  handle(inbound: Inbound, outbound: Outbound): Promise<void> | undefined;
  /** Says of a path that nobody knows it, in the dialect that its client most likely speaks. */
  refuse(refusal: Refusal, inbound: Inbound, outbound: Outbound): void;
}

interface Match {
  readonly route: Route;
  parameter(name: string): string;
}

export function createGateway(ports: ExchangePorts): Gateway {
  const router = new SmartRouter<Route>({ routers: [new RegExpRouter(), new TrieRouter()] });
  // For every method, so that a wrong one is told which would be right.
  for (const route of routes) router.add("ALL", route.path, route);

  function matchesOf(path: string): readonly Match[] {
    const [matches, stash] = router.match("ALL", path) as [[Route, Params | ParamIndexMap][], string[]?];
    return matches.map(([route, parameters]) => ({
      route,
      parameter: (name) =>
        decode(stash === undefined ? (parameters as Params)[name] : stash[(parameters as ParamIndexMap)[name] ?? -1]),
    }));
  }

  function refuse(refusal: Refusal, inbound: Inbound, outbound: Outbound): void {
    new Reply(outbound, dialectOf(likelyDialect(inbound)), requestId(ports.entropy, ports.clock), ports.clock).refuse(refusal);
  }

  return {
    refuse,
    handle(inbound, outbound) {
      const matches = matchesOf(inbound.path);
      const match = matches.find(({ route }) => route.method === inbound.method);
      if (match !== undefined) {
        return answer(match, inbound, outbound, ports);
      }
      if (matches.length === 0) return undefined;
      const allow = [...new Set(matches.map(({ route }) => route.method))].sort().join(", ");
      refuse({ kind: "method_not_allowed", allow }, inbound, outbound);
      return Promise.resolve();
    },
  };
}

function answer(match: Match, inbound: Inbound, outbound: Outbound, ports: ExchangePorts): Promise<void> {
  const { route } = match;
  const dialect = dialectOf(route.dialect === "shared" ? likelyDialect(inbound) : route.dialect);
  switch (route.action.kind) {
    case "model": {
      const modelFromPath = route.path.includes(":deployment") ? match.parameter("deployment") : undefined;
      return exchange(
        { dialect, surface: route.action.surface, route: route.path, modelFromPath, stored: undefined },
        inbound,
        outbound,
        ports,
      );
    }
    case "stored_response": {
      const stored = {
        id: match.parameter("id"),
        method: route.method === "DELETE" ? "DELETE" : "GET",
        query: storedQuery(inbound.query),
      } as const;
      return exchange(
        { dialect, surface: "responses", route: route.path, modelFromPath: undefined, stored },
        inbound,
        outbound,
        ports,
      );
    }
    case "list_models":
      return listModels(inbound, outbound, dialect, ports);
    case "show_model":
      return showModel(match.parameter("model"), inbound, outbound, dialect, ports);
    case "show_receipt":
      return showReceipt(match.parameter("id"), inbound, outbound, dialect, ports);
    case "show_usage":
      return showUsage(inbound, outbound, dialect, ports);
    case "prove_receipt":
      return proveReceipt(match.parameter("id"), inbound, outbound, dialect, ports);
    case "show_digest_keys":
      return showDigestKeys(inbound, outbound, dialect, ports);
    case "show_checkpoint":
      return showCheckpoint(inbound, outbound, dialect, ports);
    case "show_consistency":
      return showConsistency(inbound, outbound, dialect, ports);
    case "log_keys":
      answerAnyone("application/json", JSON.stringify(ports.logs?.published ?? { keys: [] }), outbound, dialect, ports);
      return Promise.resolve();
    case "health":
      answerAnyone("text/plain", "ok\n", outbound, dialect, ports);
      return Promise.resolve();
  }
}

function answerAnyone(contentType: string, text: string, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): void {
  new Reply(outbound, dialect, requestId(ports.entropy, ports.clock), ports.clock).whole(
    200,
    ["content-type", contentType],
    new TextEncoder().encode(text),
  );
}

/** Azure by its path, Anthropic by its path or the header that its SDK always sends, OpenAI otherwise. */
function likelyDialect(inbound: Inbound): DialectName {
  if (inbound.path.startsWith("/openai/")) return "azure";
  if (inbound.path.startsWith("/v1/messages")) return "anthropic";
  const anthropic = inbound.header("anthropic-version") !== undefined || inbound.header("x-api-key") !== undefined;
  return anthropic ? "anthropic" : "openai";
}

/** The query of a call to a stored response, less what is the gateway's own to say. */
function storedQuery(query: string): string {
  const parameters = new URLSearchParams(query);
  parameters.delete("api-version");
  return parameters.toString();
}

/** A path that is not properly encoded names nothing. */
function decode(value: string | undefined): string {
  try {
    return decodeURIComponent(value ?? "");
  } catch {
    return "";
  }
}
