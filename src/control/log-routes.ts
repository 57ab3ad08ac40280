import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Logs } from "../transparency/logs.ts";
import { answerProblem } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { controlPath, problemAnswers, shown, tenantParams } from "./route-parts.ts";

const tags = ["Log"];

const whole = z
  .string()
  .regex(/^\d{1,15}$/, "Write an integer from 0.")
  .transform(Number)
  .openapi({ type: "integer", minimum: 0 });

const checkpointOf = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/log/checkpoint`,
  tags,
  summary: "Show the newest checkpoint of the log that a tenant's receipts are in",
  request: { params: tenantParams },
  responses: {
    200: shown(z.object({ checkpoint: z.string() }).openapi("Checkpoint"), "A signed note (C2SP)"),
    ...problemAnswers,
  },
});

const consistencyOf = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/log/consistency`,
  tags,
  summary: "Prove that the log at one checkpoint is the beginning of what it is at another",
  request: {
    params: tenantParams,
    query: z.object({
      size: whole.openapi({ description: "Entries at the earlier checkpoint." }),
      to: whole.optional().openapi({ description: "Entries at the later one; the newest without it." }),
    }),
  },
  responses: {
    200: shown(
      z
        .object({ earlier: z.string(), later: z.string(), consistency: z.array(z.string()).readonly() })
        .openapi("ConsistencyProof"),
      "Both checkpoints, and hashes (RFC 9162) in base64",
    ),
    ...problemAnswers,
  },
});

const entriesOf = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/log/entries`,
  tags,
  summary: "Show the log's entries beside the leaf hashes that the tree has for them, for an audit",
  request: {
    params: tenantParams,
    query: z.object({
      from: whole.optional(),
      count: whole.optional().openapi({ description: "At most 500, which is what it is without." }),
    }),
  },
  responses: {
    200: shown(
      z
        .object({
          entries: z
            .array(
              z.object({
                leafIndex: z.number(),
                document: z.string().nullable(),
                leafHash: z.string(),
                forgotten: z.string().nullable(),
                droppedBefore: z.number().nullable().openapi({
                  description:
                    "Records that were written before it and dropped before the log took them in; null where the store cannot tell.",
                }),
                inJournal: z.enum(["same", "changed", "dropped"]).openapi({
                  description:
                    "Whether the journal has the same record: where it keeps a copy of its own, usage and exports are of that one.",
                }),
              }),
            )
            .readonly(),
        })
        .openapi("LogEntries"),
      "Entries in their order",
    ),
    ...problemAnswers,
  },
});

const proofOf = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/receipts/{requestId}/proof`,
  tags,
  summary: "Show a receipt with what proves that it is in the log",
  request: { params: tenantParams.extend({ requestId: z.string().openapi({ param: { name: "requestId", in: "path" } }) }) },
  responses: {
    200: shown(
      z
        .object({
          format: z.string(),
          receipt: z.record(z.string(), z.unknown()).readonly(),
          leafIndex: z.number(),
          inclusion: z.array(z.string()).readonly(),
          checkpoint: z.string(),
        })
        .openapi("ReceiptProof"),
      "What `strait receipt verify` checks",
    ),
    ...problemAnswers,
  },
});

const mostEntries = 500;

export function addLogRoutes(app: OpenAPIHono, ports: ChangePorts, logs: Logs): void {
  app.openapi(checkpointOf, async (context) => {
    const tenant = await findTenant(ports, context.req.valid("param").tenantId);
    if (!tenant.ok) return answerProblem(context, tenant.refusal);
    const { note } = await logs.of(tenant.value.tenant.id).checkpoint();
    return context.json({ checkpoint: note }, 200);
  });

  app.openapi(consistencyOf, async (context) => {
    const tenant = await findTenant(ports, context.req.valid("param").tenantId);
    if (!tenant.ok) return answerProblem(context, tenant.refusal);
    const { size, to } = context.req.valid("query");
    const proof = await logs.of(tenant.value.tenant.id).consistency(size, to);
    if (proof !== undefined) return context.json(proof, 200);
    const detail = "The log was not signed at this size. Take the sizes of two of its checkpoints, the earlier one first.";
    return answerProblem(context, { kind: "malformed_request", problems: [{ parameter: "size", detail }] });
  });

  app.openapi(entriesOf, async (context) => {
    const tenant = await findTenant(ports, context.req.valid("param").tenantId);
    if (!tenant.ok) return answerProblem(context, tenant.refusal);
    const { from = 0, count = mostEntries } = context.req.valid("query");
    const entries = await logs.of(tenant.value.tenant.id).shown(from, Math.min(count, mostEntries));
    return context.json({ entries }, 200);
  });

  app.openapi(proofOf, async (context) => {
    const { tenantId, requestId } = context.req.valid("param");
    const tenant = await findTenant(ports, tenantId);
    if (!tenant.ok) return answerProblem(context, tenant.refusal);
    const proof = await logs.of(tenantId).prove(tenantId, requestId);
    return typeof proof === "string"
      ? answerProblem(context, { kind: "receipt_not_found", requestId })
      : context.json(proof, 200);
  });
}
