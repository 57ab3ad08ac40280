import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { appliedLimits } from "../quota/limit.ts";
import { each } from "../tenant/limit-setting.ts";
import type { AppliedLimit } from "../quota/limit.ts";
import type { LimitSetting } from "../tenant/limit-setting.ts";
import type { LimitState } from "../quota/store.ts";
import { answerProblem, entityTag, revisionAsked } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { limitDocument, limitUseDocument } from "./documents.ts";
import { checkModel } from "./known-names.ts";
import { setLimits } from "./limits.ts";
import { bodyOf, controlPath, ifMatchHeader, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { limitSchema, limitUseSchema, newLimitsSchema } from "./schemas.ts";

export type InspectLimits = (tenantId: string, limits: readonly AppliedLimit[]) => Promise<readonly LimitState[]>;

const tags = ["Limits"];
const limits = `${controlPath}/tenants/{tenantId}/limits` as const;
const limitsSchema = z.object({ limits: z.array(limitSchema) }).openapi("Limits");

const show = createRoute({
  method: "get",
  path: limits,
  tags,
  summary: "Show a tenant's limits",
  request: { params: tenantParams },
  responses: { 200: shown(limitsSchema, "The limits"), ...problemAnswers },
});

const set = createRoute({
  method: "put",
  path: limits,
  tags,
  summary: "Replace a tenant's limits",
  description: "Hold from the next request on. What the limits counted so far stays counted under the same names.",
  request: { params: tenantParams, headers: ifMatchHeader, ...bodyOf(newLimitsSchema) },
  responses: { 200: shown(limitsSchema, "The limits"), ...problemAnswers },
});

const use = createRoute({
  method: "get",
  path: `${limits}/use`,
  tags,
  summary: "Show how far a tenant's limits are used",
  description: "Limits with a counter per key or per model are shown for the `key` and `model` that are asked for, else left out.",
  request: { params: tenantParams, query: z.object({ key: z.string().max(60).optional(), model: z.string().max(200).optional() }) },
  responses: { 200: shown(z.object({ use: z.array(limitUseSchema) }).openapi("LimitUses"), "The limits as they stand"), ...problemAnswers },
});

export function addLimitRoutes(app: OpenAPIHono, ports: ChangePorts, inspectLimits: InspectLimits | undefined): void {
  app.openapi(show, async (context) => {
    const outcome = await findTenant(ports, context.req.valid("param").tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json({ limits: outcome.value.limits.map(limitDocument) }, 200, entityTag(outcome.value));
  });

  app.openapi(set, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await setLimits(ports, context.req.valid("param").tenantId, by, context.req.valid("json").limits);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { entry, value } = outcome.value;
    return context.json({ limits: value.map(limitDocument) }, 200, entityTag(entry));
  });

  if (inspectLimits === undefined) return;
  app.openapi(use, async (context) => {
    const { tenantId } = context.req.valid("param");
    const { key, model } = context.req.valid("query");
    const outcome = await findTenant(ports, tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const named = model === undefined ? undefined : checkModel(ports.catalogue(), model, "model");
    if (named !== undefined && named.problems.length > 0) {
      const problems = named.problems.map(({ pointer, detail }) => ({ parameter: pointer, detail }));
      return answerProblem(context, { kind: "malformed_request", problems });
    }
    const states = await inspectLimits(tenantId, countersOf(outcome.value.limits, key, named?.id));
    return context.json({ use: states.map(limitUseDocument) }, 200);
  });
}

/** The limits whose counter is known: what is kept per key or model only where the caller names one. */
function countersOf(settings: readonly LimitSetting[], key: string | undefined, model: string | undefined): AppliedLimit[] {
  return settings.flatMap((setting) => {
    const keyId = setting.key === undefined || setting.key === each ? key : setting.key;
    const modelId = setting.model === undefined || setting.model === each ? model : setting.model;
    if (setting.key === each && keyId === undefined) return [];
    if (setting.model === each && modelId === undefined) return [];
    return appliedLimits([setting], keyId ?? "", modelId ?? "");
  });
}
