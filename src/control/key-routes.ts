import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Revocations } from "../revocation/revocations.ts";
import { answerProblem, entityTag, revisionAsked } from "./answer.ts";
import { findTenant, nowRfc3339 } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { issuedKeyDocument, keyDocument } from "./documents.ts";
import { issueKey, revokeKey } from "./keys.ts";
import { bodyOf, controlPath, ifMatchHeader, keyParams, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { issuedKeySchema, keySchema, newKeySchema } from "./schemas.ts";
import { spreadKeyRevocation } from "./spread.ts";

const tags = ["Keys"];
const keys = `${controlPath}/tenants/{tenantId}/keys` as const;

const list = createRoute({
  method: "get",
  path: keys,
  tags,
  summary: "List a tenant's keys",
  description:
    "Never the keys themselves nor their digests. Revoked and expired ones stay listed until newer ones displace them.",
  request: { params: tenantParams },
  responses: { 200: shown(z.object({ keys: z.array(keySchema) }).openapi("Keys"), "The keys"), ...problemAnswers },
});

const issue = createRoute({
  method: "post",
  path: keys,
  tags,
  summary: "Issue a key",
  description: "The answer carries the key. It is stored nowhere and never shown again.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(newKeySchema) },
  responses: { 201: shown(issuedKeySchema, "The key, this once"), ...problemAnswers },
});

const revoke = createRoute({
  method: "delete",
  path: `${keys}/{keyId}`,
  tags,
  summary: "Revoke a key",
  description: "Holds from the next request on, cuts what the key has open, and cannot be undone.",
  request: { params: keyParams, headers: ifMatchHeader },
  responses: { 200: shown(keySchema, "The revoked key"), ...problemAnswers },
});

export function addKeyRoutes(app: OpenAPIHono, ports: ChangePorts, orders: Revocations | undefined): void {
  app.openapi(list, async (context) => {
    const { tenantId } = context.req.valid("param");
    const outcome = await findTenant(ports, tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const used = await ports.directory.lastUsed(tenantId);
    const now = nowRfc3339(ports.clock);
    const documents = outcome.value.keys.map((key) => keyDocument(key, now, used.get(key.id)));
    return context.json({ keys: documents }, 200, entityTag(outcome.value));
  });

  app.openapi(issue, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await issueKey(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { entry, value } = outcome.value;
    return context.json(issuedKeyDocument(value, nowRfc3339(ports.clock)), 201, entityTag(entry));
  });

  app.openapi(revoke, async (context) => {
    const { tenantId, keyId } = context.req.valid("param");
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await revokeKey(ports, tenantId, by, keyId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { entry, value } = outcome.value;
    if (orders !== undefined) await spreadKeyRevocation({ ...ports, orders }, tenantId, keyId);
    const used = await ports.directory.lastUsed(tenantId);
    return context.json(keyDocument(value, nowRfc3339(ports.clock), used.get(keyId)), 200, entityTag(entry));
  });
}
