import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Revocations } from "../revocation/revocations.ts";
import { answerProblem, entityTag, revisionAsked } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { tenantDocument } from "./documents.ts";
import { bodyOf, controlPath, cursorQuery, ifMatchHeader, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { stateFact } from "./facts.ts";
import { factStatementSchema, ownershipChangeSchema, verificationChangeSchema } from "./legal-entity-schemas.ts";
import { setOwnership } from "./ownership.ts";
import { newTenantSchema, tenantChangeSchema, tenantSchema } from "./schemas.ts";
import { spreadVerification } from "./spread.ts";
import { addTenant, changeTenant } from "./tenants.ts";
import { changeVerification } from "./verification.ts";

const tags = ["Tenants"];
const tenant = `${controlPath}/tenants/{tenantId}` as const;

const list = createRoute({
  method: "get",
  path: `${controlPath}/tenants`,
  tags,
  summary: "List tenants in order of id",
  request: { query: cursorQuery },
  responses: {
    200: shown(z.object({ tenants: z.array(tenantSchema), nextCursor: z.string().nullable() }).openapi("TenantPage"), "A page"),
    ...problemAnswers,
  },
});

const add = createRoute({
  method: "post",
  path: `${controlPath}/tenants`,
  tags,
  summary: "Add a tenant",
  description:
    "It begins as `applied`, by whom, why and on what document is told with it, and is served once it is verified. Limits that are not given are the default ones.",
  request: bodyOf(newTenantSchema),
  responses: { 201: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const show = createRoute({
  method: "get",
  path: tenant,
  tags,
  summary: "Show a tenant",
  request: { params: tenantParams },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const patch = createRoute({
  method: "patch",
  path: tenant,
  tags,
  summary: "Change what is known of a tenant or what it bought",
  description: "A JSON merge patch: what is absent stays, what is `null` is cleared, and a list replaces the list.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(tenantChangeSchema) },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const verification = createRoute({
  method: "post",
  path: `${tenant}/verification`,
  tags,
  summary: "Take a tenant under review, verify, suspend or close it",
  description:
    "Holds from the next request on; whatever but `verified` also cuts what the tenant has open. Each step names who decided it, why, and what shows it; all of them stand in the tenant's audit. `closed` is final.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(verificationChangeSchema) },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const facts = createRoute({
  method: "post",
  path: `${tenant}/facts`,
  tags,
  summary: "Take what a document says of one fact",
  description:
    "It makes the fact known, shows it anew, or contradicts it: then the fact refuses wherever a rule asks, until a PATCH settles it.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(factStatementSchema) },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const ownership = createRoute({
  method: "put",
  path: `${tenant}/ownership`,
  tags,
  summary: "Say who owns a tenant",
  description:
    "Replaces all that was known of it. What no holding tells of is unresolved, and refuses where it could tip a rule.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(ownershipChangeSchema) },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

export function addTenantRoutes(app: OpenAPIHono, ports: ChangePorts, orders: Revocations | undefined): void {
  app.openapi(list, async (context) => {
    const { cursor, count } = context.req.valid("query");
    // One more than asked for tells whether there is a next page, without a second question to the store.
    const entries = await ports.directory.list(cursor, count + 1);
    const page = entries.slice(0, count);
    const nextCursor = entries.length > count ? (page.at(-1)?.tenant.id ?? null) : null;
    return context.json({ tenants: page.map(tenantDocument), nextCursor }, 200);
  });

  app.openapi(add, async (context) => {
    const outcome = await addTenant(ports, { actor: "operator" }, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const entry = outcome.value;
    return context.json(tenantDocument(entry), 201, {
      ...entityTag(entry),
      location: `${controlPath}/tenants/${entry.tenant.id}`,
    });
  });

  app.openapi(show, async (context) => {
    const outcome = await findTenant(ports, context.req.valid("param").tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value), 200, entityTag(outcome.value));
  });

  app.openapi(patch, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await changeTenant(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value.entry), 200, entityTag(outcome.value.entry));
  });

  app.openapi(verification, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await changeVerification(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { entry, value } = outcome.value;
    if (orders !== undefined) await spreadVerification({ ...ports, orders }, by.actor, entry.tenant.id, value);
    return context.json(tenantDocument(entry), 200, entityTag(entry));
  });

  app.openapi(facts, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await stateFact(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value.entry), 200, entityTag(outcome.value.entry));
  });

  app.openapi(ownership, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await setOwnership(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value.entry), 200, entityTag(outcome.value.entry));
  });
}
