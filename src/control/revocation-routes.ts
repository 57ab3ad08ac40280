import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { answerProblem } from "./answer.ts";
import {
  issuedRevocationSchema,
  newRevocationSchema,
  revocationDocument,
  revocationReceiptSchema,
  revocationSchema,
  revocationStateDocument,
  revocationStateSchema,
} from "./revocation-documents.ts";
import { drawUpReceipt, issueRevocation, restoreRevocation, revocationState, type RevocationPorts } from "./revocations.ts";
import { bodyOf, controlPath, problemAnswers, shown } from "./route-parts.ts";

const tags = ["Revocations"];
const path = `${controlPath}/revocations` as const;
const params = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) });

const list = createRoute({
  method: "get",
  path,
  tags,
  summary: "List what was revoked, newest first",
  description: "Orders that ended stay listed for thirty days.",
  responses: {
    200: shown(z.object({ revocations: z.array(revocationSchema) }).openapi("Revocations"), "The orders"),
    ...problemAnswers,
  },
});

const issue = createRoute({
  method: "post",
  path,
  tags,
  summary: "Revoke a model, tier, tenant, key, country, deployment or region, or any combination",
  description: "Holds on the replica that is asked when it answers, and on all others as soon as they are told.",
  request: bodyOf(newRevocationSchema),
  responses: { 201: shown(issuedRevocationSchema, "The order"), ...problemAnswers },
});

const show = createRoute({
  method: "get",
  path: `${path}/{id}`,
  tags,
  summary: "Show an order, and what each replica acknowledged of it",
  request: { params },
  responses: { 200: shown(revocationStateSchema, "How it stands"), ...problemAnswers },
});

const receipt = createRoute({
  method: "post",
  path: `${path}/{id}/receipt`,
  tags,
  summary: "Sign what all replicas acknowledged, and put it into the audit",
  request: { params },
  responses: { 201: shown(revocationReceiptSchema, "How it stands, signed"), ...problemAnswers },
});

const restore = createRoute({
  method: "post",
  path: `${path}/{id}/restore`,
  tags,
  summary: "Take an order back",
  request: { params },
  responses: { 200: shown(revocationSchema, "The order"), ...problemAnswers },
});

export function addRevocationRoutes(app: OpenAPIHono, ports: RevocationPorts): void {
  const nowMs = (): number => ports.orders.nowMs();

  app.openapi(list, async (context) => {
    await ports.orders.refresh();
    return context.json({ revocations: ports.orders.list().map((order) => revocationDocument(order, nowMs())) }, 200);
  });

  app.openapi(issue, async (context) => {
    const outcome = await issueRevocation(ports, "operator", context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { order, writtenTo } = outcome.value;
    return context.json({ ...revocationDocument(order, nowMs()), writtenTo: [...writtenTo] }, 201);
  });

  app.openapi(show, async (context) => {
    const outcome = await revocationState(ports, context.req.valid("param").id);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(revocationStateDocument(outcome.value, nowMs()), 200);
  });

  app.openapi(receipt, async (context) => {
    const outcome = await drawUpReceipt(ports, "operator", context.req.valid("param").id);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { state, signed } = outcome.value;
    return context.json({ ...state, signed }, 201);
  });

  app.openapi(restore, async (context) => {
    const outcome = await restoreRevocation(ports, "operator", context.req.valid("param").id);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(revocationDocument(outcome.value, nowMs()), 200);
  });
}
