import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { appliedLimits } from "../quota/limit.ts";
import { each } from "../tenant/limit-setting.ts";
import type { AppliedLimit } from "../quota/limit.ts";
import type { Model } from "../region/catalogue.ts";
import { endUserHash, endUserPattern } from "../tenant/end-user.ts";
import type { LimitSetting } from "../tenant/limit-setting.ts";
import type { Tenant } from "../tenant/tenant.ts";
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
const asked = (most: number): z.ZodOptional<z.ZodString> => z.string().min(1).max(most).optional();
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
  description:
    "Limits with a counter per key, model, tier or end user are shown for the `key`, `model`, `tier` and `endUser` that are asked for, else " +
    "left out. `endUser` is a name as the tenant's requests give it, or its hash as receipts show it.",
  request: {
    params: tenantParams,
    query: z.object({ key: asked(60), model: asked(200), tier: asked(200), endUser: asked(1_024) }),
  },
  responses: {
    200: shown(z.object({ use: z.array(limitUseSchema) }).openapi("LimitUses"), "The limits as they stand"),
    ...problemAnswers,
  },
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
    const { key, model, tier, endUser } = context.req.valid("query");
    const outcome = await findTenant(ports, tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const catalogue = ports.catalogue();
    const named = model === undefined ? undefined : checkModel(catalogue, model, "model");
    if (named !== undefined && named.problems.length > 0) {
      const problems = named.problems.map(({ pointer, detail }) => ({ parameter: pointer, detail }));
      return answerProblem(context, { kind: "malformed_request", problems });
    }
    const entry = outcome.value;
    const subject: Named = {
      key,
      model: catalogue.models.get(named?.id ?? ""),
      tier,
      endUser: endUserOf(entry.tenant, endUser, ports),
    };
    const states = await inspectLimits(tenantId, countersOf(entry.limits, subject, entry.tenant.timeZone, ports.clock.nowMs()));
    return context.json({ use: states.map(limitUseDocument) }, 200);
  });
}

/** What limits are kept apart by, as far as a caller names it. */
interface Named {
  readonly key: string | undefined;
  readonly model: Model | undefined;
  readonly tier: string | undefined;
  readonly endUser: string | undefined;
}

/** The limits whose counter is known: what is kept per key, model, tier or end user only where the caller names one. */
function countersOf(
  settings: readonly LimitSetting[],
  named: Named,
  timeZone: string | undefined,
  nowMs: number,
): AppliedLimit[] {
  const known = (setting: string | undefined, given: string | undefined): string | undefined =>
    setting === undefined || setting === each ? given : setting;
  return settings.flatMap((setting) => {
    const keyId = known(setting.key, named.key);
    const model = known(setting.model, named.model?.id);
    const tier = known(setting.tier, named.tier ?? named.model?.tier);
    const endUser = known(setting.endUser, named.endUser);
    const unknown = [
      [setting.key, keyId],
      [setting.model, model],
      [setting.tier, tier],
      [setting.endUser, endUser],
    ].some(([wanted, given]) => wanted === each && given === undefined);
    if (unknown) return [];
    return appliedLimits([setting], { keyId: keyId ?? "", model: model ?? "", tier: tier ?? "", endUser, timeZone }, nowMs);
  });
}

function endUserOf(tenant: Tenant, endUser: string | undefined, { sha256 }: ChangePorts): string | undefined {
  return endUser === undefined || endUserPattern.test(endUser) ? endUser : endUserHash(tenant, endUser, sha256);
}
