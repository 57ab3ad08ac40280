import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { DigestKey } from "../tenant/digest-key.ts";
import { answerProblem, entityTag, revisionAsked } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { provideDigestKeys, rotateDigestKey } from "./digest-keys.ts";
import { controlPath, ifMatchHeader, problemAnswers, shown, tenantParams } from "./route-parts.ts";

/** Never the key itself: that is the tenant's to ask for, with a key of its own. */
export interface DigestKeyDocument {
  id: string;
  createdAt: string;
  retiredAt: string | null;
}

const tags = ["Digest keys"];
const path = `${controlPath}/tenants/{tenantId}/digest-keys` as const;

const digestKeysSchema = z
  .object({
    digestKeys: z.array(
      z
        .object({
          id: z.string().openapi({ description: "As receipts name it in `digestKeyId`." }),
          createdAt: z.string(),
          retiredAt: z.string().nullable(),
        })
        .openapi("DigestKey"),
    ),
  })
  .openapi("DigestKeys");

const list = createRoute({
  method: "get",
  path,
  tags,
  summary: "List the keys that a tenant's receipts are digested with",
  description:
    "Newest first, and never the keys themselves: the tenant gets them at `GET /v1/strait/digest-keys`, with a key of its own.",
  request: { params: tenantParams },
  responses: { 200: shown(digestKeysSchema, "The keys' ids and dates"), ...problemAnswers },
});

const rotate = createRoute({
  method: "post",
  path,
  tags,
  summary: "Rotate a tenant's digest key",
  description: "Receipts name the new key from the next request on. The old ones stay known, for the receipts that name them.",
  request: { params: tenantParams, headers: ifMatchHeader },
  responses: { 201: shown(digestKeysSchema, "The keys' ids and dates, the new one first"), ...problemAnswers },
});

export function addDigestKeyRoutes(app: OpenAPIHono, ports: ChangePorts): void {
  app.openapi(list, async (context) => {
    const found = await findTenant(ports, context.req.valid("param").tenantId);
    if (!found.ok) return answerProblem(context, found.refusal);
    const provided = await provideDigestKeys(ports, found.value.tenant);
    if (!provided.ok) return answerProblem(context, provided.refusal);
    return context.json({ digestKeys: provided.value.map(digestKeyDocument) }, 200);
  });

  app.openapi(rotate, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await rotateDigestKey(ports, context.req.valid("param").tenantId, by);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { entry, value } = outcome.value;
    return context.json({ digestKeys: value.map(digestKeyDocument) }, 201, entityTag(entry));
  });
}

function digestKeyDocument({ id, createdAt, retiredAt }: DigestKey): DigestKeyDocument {
  return { id, createdAt, retiredAt: retiredAt ?? null };
}
