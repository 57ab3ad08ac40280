import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { PolicyShelf } from "../bundle/policy-shelf.ts";
import { evidenceGrades, surfaces, type Surface } from "../region/catalogue.ts";
import type { Revocations } from "../revocation/revocations.ts";
import type { Health } from "../routing/health.ts";
import type { Credentials } from "../upstream/address.ts";
import { answerProblem } from "./answer.ts";
import { findTenant, type ChangePorts } from "./change.ts";
import { explain, type CandidateDocument, type ExplanationDocument, type FindingDocument } from "./explain.ts";
import { time } from "./fields.ts";
import { checkModel } from "./known-names.ts";
import { controlPath, problemAnswers, shown, tenantParams } from "./route-parts.ts";

export interface ExplainPorts extends ChangePorts {
  readonly policies: () => PolicyShelf;
  /** As this process has seen its deployments. */
  readonly health: Health;
  readonly credentials: Credentials;
  /** Without it no order is looked at. */
  readonly orders?: Revocations | undefined;
}

const finding: z.ZodType<FindingDocument> = z
  .object({
    rule: z.string().openapi({ description: "With a colon in it, a check that stands in no file." }),
    kind: z.string(),
    outcome: z.enum(["match", "no_match", "unknown", "stale", "conflicting"]),
    decision: z.enum(["allow", "deny", "review", "degrade"]),
    codes: z.array(z.string()),
    reason: z.string(),
    liftedBy: z.string().nullable(),
  })
  .openapi("Finding");

const candidate: z.ZodType<CandidateDocument> = z
  .object({
    deployment: z.string(),
    region: z.string(),
    sku: z.string(),
    countries: z.string().openapi({ description: "`*`: anywhere. `?`: unknown." }),
    evidence: z.enum(evidenceGrades),
    admitted: z.boolean().openapi({ description: "By the rules." }),
    cutOffBy: z
      .array(z.object({ order: z.string(), reason: z.string(), quarantine: z.boolean() }))
      .openapi({ description: "By which orders it is cut off all the same." }),
    findings: z.array(finding),
    inputMicroUsdPerMillion: z.int(),
    outputMicroUsdPerMillion: z.int(),
    latencyMs: z.int().nullable(),
    hasCredential: z
      .boolean()
      .openapi({ description: "Whether this process has its region's credential; without, it is never tried." }),
    available: z.boolean(),
    chanceBasisPoints: z.int().openapi({ description: "How probable it is that it is tried first, of 10,000." }),
  })
  .openapi("Candidate");

const explanation: z.ZodType<ExplanationDocument> = z
  .object({
    tenant: z.string(),
    model: z.string(),
    surface: z.string(),
    at: z.iso.datetime(),
    key: z.string().nullable(),
    policy: z.object({ version: z.string(), digest: z.string(), file: z.string() }),
    catalogueDigest: z.string(),
    served: z.string().nullable().openapi({ description: "The model that would answer; `null`: refused." }),
    refusal: z.object({ kind: z.string(), message: z.string() }).nullable(),
    evaluations: z.array(z.object({ model: z.string(), subject: z.array(finding), candidates: z.array(candidate) })),
  })
  .openapi("Explanation");

const show = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/explain`,
  tags: ["Policy"],
  summary: "Explain what a tenant's request for a model would meet with",
  description:
    "Every deployment of the model with the rules that admit or refuse it, for a request that asks for nothing out of the ordinary. What the tenant is and what this process has measured are as they are now, and so is what a key reaches.",
  request: {
    params: tenantParams,
    query: z.object({
      model: z.string().min(1).max(200),
      surface: z
        .enum(surfaces as [Surface, ...Surface[]])
        .optional()
        .openapi({ description: "Without it, the first that one of the model's deployments speaks." }),
      key: z
        .string()
        .max(200)
        .optional()
        .openapi({ description: "A key's id: what it reaches, and the orders against it, count too." }),
      at: time.optional().openapi({ description: "By the policy of then; now where absent." }),
    }),
  },
  responses: { 200: shown(explanation, "The decision with all that led to it"), ...problemAnswers },
});

export function addExplainRoutes(app: OpenAPIHono, ports: ExplainPorts): void {
  app.openapi(show, async (context) => {
    const { tenantId } = context.req.valid("param");
    const { model, surface, at, key: keyId } = context.req.valid("query");
    const found = await findTenant(ports, tenantId);
    if (!found.ok) return answerProblem(context, found.refusal);
    const ofTenant = found.value.keys.find(({ id }) => id === keyId);
    if (keyId !== undefined && ofTenant === undefined) return answerProblem(context, { kind: "key_not_found", tenantId, keyId });
    const key = ofTenant && { keyId: ofTenant.id, scopes: { models: ofTenant.models, surfaces: ofTenant.surfaces } };
    await ports.orders?.refresh();
    const nowMs = ports.clock.nowMs();
    const atMs = at === undefined ? nowMs : Date.parse(at);
    const shelved = ports.policies().policyAt(atMs);
    const { catalogue } = shelved.world;
    const named = checkModel(catalogue, model, "model");
    if (named.problems.length > 0) {
      const problems = named.problems.map(({ pointer, detail }) => ({ parameter: pointer, detail }));
      return answerProblem(context, { kind: "malformed_request", problems });
    }
    const deployments = catalogue.deploymentsByModel.get(named.id) ?? [];
    const spoken = surfaces.find((each) => deployments.some((deployment) => deployment.surfaces.has(each)));
    const asked = { tenant: found.value.tenant, modelName: model, surface: surface ?? spoken ?? "chat.completions" };
    const reach = { key, orders: ports.orders?.list() ?? [], credentials: ports.credentials };
    return context.json(explain(asked, shelved, atMs, ports.health, nowMs, reach), 200);
  });
}
