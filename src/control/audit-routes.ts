import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { answerProblem } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { auditDocument } from "./documents.ts";
import { controlPath, countQuery, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { auditSchema } from "./schemas.ts";

const tags = ["Audit"];
const entries = shown(z.object({ audit: z.array(auditSchema) }).openapi("Audit"), "The newest entries, newest first");

const ofAll = createRoute({
  method: "get",
  path: `${controlPath}/audit`,
  tags,
  summary: "Show what was changed, by whom",
  request: { query: countQuery },
  responses: { 200: entries, ...problemAnswers },
});

const ofTenant = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/audit`,
  tags,
  summary: "Show what was changed of one tenant",
  request: { params: tenantParams, query: countQuery },
  responses: { 200: entries, ...problemAnswers },
});

export function addAuditRoutes(app: OpenAPIHono, ports: ChangePorts): void {
  app.openapi(ofAll, async (context) => {
    const audit = await ports.directory.audit(undefined, context.req.valid("query").count);
    return context.json({ audit: audit.map(auditDocument) }, 200);
  });

  app.openapi(ofTenant, async (context) => {
    const outcome = await findTenant(ports, context.req.valid("param").tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const audit = await ports.directory.audit(outcome.value.tenant.id, context.req.valid("query").count);
    return context.json({ audit: audit.map(auditDocument) }, 200);
  });
}
