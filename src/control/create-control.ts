import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import type { Context, MiddlewareHandler } from "hono";
import type { Log } from "../log.ts";
import type { JournalWriters } from "../ledger/journal-writers.ts";
import type { Logs } from "../transparency/logs.ts";
import type { Revocations } from "../revocation/revocations.ts";
import { StoreUnavailable } from "../quota/store.ts";
import { answerProblem } from "./answer.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { addBundleRoutes, bundlesPath } from "./bundle-routes.ts";
import type { ChangePorts } from "./change.ts";
import { addDigestKeyRoutes } from "./digest-key-routes.ts";
import { addExplainRoutes, type ExplainPorts } from "./explain-routes.ts";
import { addKeyRoutes } from "./key-routes.ts";
import { addLimitRoutes } from "./limit-routes.ts";
import type { InspectLimits } from "./limit-routes.ts";
import { addLogRoutes } from "./log-routes.ts";
import { operatorGuard } from "./operator-guard.ts";
import type { PlaceAlarm } from "../place-alarm.ts";
import { addPlaceMismatchRoutes } from "./place-mismatch-routes.ts";
import { addPolicyRoutes, type PolicyPorts } from "./policy-routes.ts";
import { addPriceRoutes } from "./price-routes.ts";
import { requestProblems } from "./request-problems.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";
import { addRetentionRoutes } from "./retention-routes.ts";
import type { ApplyRetention } from "./retention.ts";
import { addRevocationRoutes } from "./revocation-routes.ts";
import { addShadowRoutes, type ShadowPorts } from "./shadow-routes.ts";
import { addTenantRoutes } from "./tenant-routes.ts";
import { addUsageRoutes } from "./usage-routes.ts";
import type { UsagePorts } from "./usage-routes.ts";
import { addWriterRoutes } from "./writer-routes.ts";

export interface ControlPorts extends ChangePorts, UsagePorts, PolicyPorts, ExplainPorts, ShadowPorts {
  /** SHA-256 of the operator key, lower-case hex. */
  readonly operatorKeyDigest: string;
  /** `QuotaStore.inspect`; without it the route that shows what is used is not served. */
  readonly inspectLimits?: InspectLimits | undefined;
  readonly log: Log;
  /** Without it the routes of the log are not served. */
  readonly logs?: Logs | undefined;
  /** Without it, the routes of retention are not served. */
  readonly applyRetention?: ApplyRetention | undefined;
  /** Those who write to a journal that several share; without it their routes are not served. */
  readonly writers?: JournalWriters | undefined;
  /** Without it, the routes of revocations are not served. */
  readonly orders?: Revocations | undefined;
  /** What upstreams contradicted of their places; without it or `orders` the route is not served. */
  readonly placeAlarm?: Pick<PlaceAlarm, "list"> | undefined;
}

/** A key set of fifty keys fits twice. */
export const controlBodyLimitBytes: number = 256 * 1024;
/** A bundle has its lists in it, and lists of sanctioned parties are long. */
const bundleBodyLimitBytes = 8 * 1024 * 1024;

/**
 * The operators' API, all under `/control/v1` and all of it behind the operator key. Takes a Web `Request` by
 * `app.fetch`; `app.routes` lists what is served.
 */
export function createControl(ports: ControlPorts): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result, context) => {
      if (result.success) return;
      return answerProblem(context, { kind: "malformed_request", problems: requestProblems(result.error.issues, result.target) });
    },
  });
  // First of all, before a byte of the body is read: who shows no key costs a digest and learns nothing.
  app.use("*", noStore, operatorGuard(ports.operatorKeyDigest, ports.sha256));
  const limited = limitBodies(controlBodyLimitBytes);
  const limitedBundle = limitBodies(bundleBodyLimitBytes);
  app.use("*", (context, next) => (context.req.path === bundlesPath ? limitedBundle : limited)(context, next));
  addTenantRoutes(app, ports, ports.orders);
  addKeyRoutes(app, ports, ports.orders);
  addDigestKeyRoutes(app, ports);
  addLimitRoutes(app, ports, ports.inspectLimits);
  addPolicyRoutes(app, ports);
  if (ports.loading !== undefined) addBundleRoutes(app, { ...ports, loading: ports.loading });
  addExplainRoutes(app, ports);
  addShadowRoutes(app, ports);
  addPriceRoutes(app, ports);
  addUsageRoutes(app, ports, ports);
  addAuditRoutes(app, ports);
  if (ports.logs !== undefined) addLogRoutes(app, ports, ports.logs);
  const { applyRetention, writers } = ports;
  if (writers !== undefined) addWriterRoutes(app, { ...ports, writers });
  if (applyRetention !== undefined) addRetentionRoutes(app, { ...ports, applyRetention, ageClock: ports.orders ?? ports.clock });
  if (ports.orders !== undefined) {
    const { orders, placeAlarm } = ports;
    addRevocationRoutes(app, { ...ports, orders });
    if (placeAlarm !== undefined) addPlaceMismatchRoutes(app, { orders, placeAlarm });
  }
  addDocument(app);
  app.notFound((context) => notServed(app, context));
  app.onError((error, context) => failed(error, context, ports.log));
  return app;
}

function limitBodies(limitBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: limitBytes,
    onError: (context) => answerProblem(context, { kind: "body_too_large", limitBytes }),
  });
}

/** A key that was shown once must not be shown again by a cache. */
function noStore(context: Context, next: () => Promise<void>): Promise<void> {
  context.header("cache-control", "no-store");
  return next();
}

const document = createRoute({
  method: "get",
  path: `${controlPath}/openapi.json`,
  tags: ["Description"],
  summary: "This document",
  responses: { 200: shown(z.record(z.string(), z.unknown()), "OpenAPI 3.1"), ...problemAnswers },
});

function addDocument(app: OpenAPIHono): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "operatorKey", { type: "http", scheme: "bearer" });
  const describe = (): Record<string, unknown> => ({
    ...app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Strait operators' API",
        version: "1",
        description: "Tenants, their keys, their limits, the policy, prices, what they used, and who changed what.",
      },
      security: [{ operatorKey: [] }],
    }),
  });
  // Made when first asked for: most gateways are never asked, and none should start later for it.
  let described: Record<string, unknown> | undefined;
  app.openapi(document, (context) => context.json((described ??= describe()), 200));
}

/** 405 with `Allow` where the path is served by another method, 404 otherwise. */
function notServed(app: OpenAPIHono, context: Context): Response {
  const { path, method } = context.req;
  const allowed = app.routes.filter((route) => route.method !== "ALL" && matches(route.path, path)).map((route) => route.method);
  if (allowed.length === 0) return answerProblem(context, { kind: "route_not_found", path });
  const allow = [...new Set(allowed)].join(", ");
  context.header("allow", allow);
  return answerProblem(context, { kind: "method_not_allowed", method, allow });
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split("/");
  const asked = path.split("/");
  return parts.length === asked.length && parts.every((part, index) => part.startsWith(":") || part === asked[index]);
}

function failed(error: Error, context: Context, log: Log): Response {
  if (error instanceof HTTPException && error.status === 415) return answerProblem(context, { kind: "unsupported_media_type" });
  if (error instanceof HTTPException && error.status === 400) return answerProblem(context, { kind: "malformed_json" });
  const fields = { method: context.req.method, path: context.req.path, error: `${error.name}: ${error.message}` };
  if (error instanceof StoreUnavailable) {
    log.warn("the operators' API could not reach its store", fields);
    context.header("retry-after", "5");
    return answerProblem(context, { kind: "store_unavailable" });
  }
  log.error("the operators' API failed", fields);
  return answerProblem(context, { kind: "internal" });
}
