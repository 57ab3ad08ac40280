import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { recordKinds, type RecordKind } from "../region/policy.ts";
import type { RetentionTerms } from "../retention/retention-terms.ts";
import { answerProblem, entityTag, revisionAsked } from "./answer.ts";
import { tenantDocument } from "./documents.ts";
import { time } from "./fields.ts";
import { holdTenant, releaseTenant } from "./legal-hold.ts";
import {
  countDocument,
  deleteDue,
  failureDocument,
  termsInForce,
  type RetentionCountDocument,
  type RetentionFailureDocument,
  type RetentionPorts,
} from "./retention.ts";
import { bodyOf, controlPath, ifMatchHeader, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { tenantSchema } from "./schemas.ts";

const tags = ["Retention"];
const path = `${controlPath}/retention` as const;
const holdPath = `${controlPath}/tenants/{tenantId}/legal-hold` as const;

export interface RetentionTermsDocument {
  policyVersion: string;
  policyDigest: string;
  terms: { records: RecordKind; retentionClass: string; before: string; models: string[] | null }[];
}

export interface RetentionReportDocument extends RetentionFailureDocument {
  policyVersion: string;
  policyDigest: string;
  dryRun: boolean;
  counts: RetentionCountDocument[];
}

const policy = { policyVersion: z.string(), policyDigest: z.string() };
const due = { records: z.enum(recordKinds), retentionClass: z.string(), before: time };

const termsSchema: z.ZodType<RetentionTermsDocument> = z
  .object({
    ...policy,
    terms: z.array(
      z.object({
        ...due,
        models: z.array(z.string()).nullable().openapi({ description: "Whose receipts these are; `null`: of all." }),
      }),
    ),
  })
  .openapi("RetentionTerms");

const reportSchema: z.ZodType<RetentionReportDocument> = z
  .object({
    ...policy,
    dryRun: z.boolean(),
    counts: z.array(
      z.object({
        ...due,
        deleted: z.number().openapi({ description: "Or what would be." }),
        held: z.number().openapi({ description: "Due, and kept because their tenant is under a legal hold or not known." }),
        oldest: time.nullable(),
        newest: time.nullable(),
      }),
    ),
    failed: z.array(z.enum(recordKinds)).openapi({
      description:
        "Records of these kinds could not be gone over to their end; the gateway's log says why. What is left is still due.",
    }),
    failedTenants: z.array(z.string()).openapi({
      description: "Whose they are, the first hundred; empty where the records of all tenants lie together.",
    }),
  })
  .openapi("RetentionReport");

const show = createRoute({
  method: "get",
  path,
  tags,
  summary: "Show up to when records are deleted, by the policy in force",
  description: "Records of a kind or model that is not listed are kept for ever.",
  responses: { 200: shown(termsSchema, "What each class lets be deleted now"), ...problemAnswers },
});

const apply = createRoute({
  method: "post",
  path,
  tags,
  summary: "Delete the records that are due, as the gateway does by itself once a day",
  description: "The log keeps their hashes and says by which class they went. Nothing of a tenant under a legal hold is deleted.",
  request: bodyOf(
    z
      .strictObject({
        dryRun: z.boolean().default(false).openapi({ description: "Only count what is due." }),
        before: time.optional().openapi({ description: "Nothing younger than this, whatever the classes allow." }),
      })
      .openapi("RetentionOrder"),
  ),
  responses: { 200: shown(reportSchema, "What was deleted, by kind and class"), ...problemAnswers },
});

const hold = createRoute({
  method: "put",
  path: holdPath,
  tags,
  summary: "Put a tenant under a legal hold: nothing of it is deleted until it is released",
  request: {
    params: tenantParams,
    headers: ifMatchHeader,
    ...bodyOf(
      z
        .strictObject({ reason: z.string().trim().min(1).max(500), by: z.string().trim().min(1).max(200).optional() })
        .openapi("NewLegalHold"),
    ),
  },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

const release = createRoute({
  method: "delete",
  path: holdPath,
  tags,
  summary: "Release a tenant from its legal hold",
  request: { params: tenantParams, headers: ifMatchHeader },
  responses: { 200: shown(tenantSchema, "The tenant"), ...problemAnswers },
});

export function addRetentionRoutes(app: OpenAPIHono, ports: RetentionPorts): void {
  app.openapi(show, async (context) => {
    await ports.loading?.refresh();
    const outcome = termsInForce(ports);
    return outcome.ok ? context.json(termsDocument(outcome.value), 200) : answerProblem(context, outcome.refusal);
  });

  app.openapi(apply, async (context) => {
    const { dryRun, before } = context.req.valid("json");
    const beforeMs = before === undefined ? undefined : Date.parse(before);
    await ports.loading?.refresh();
    const outcome = await deleteDue(ports, "operator", { dryRun, beforeMs });
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { policyVersion, policyDigest } = outcome.value.terms;
    const counts = outcome.value.counts.map(countDocument);
    return context.json({ policyVersion, policyDigest, dryRun, counts, ...failureDocument(outcome.value) }, 200);
  });

  app.openapi(hold, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await holdTenant(ports, context.req.valid("param").tenantId, by, context.req.valid("json"));
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value.entry), 200, entityTag(outcome.value.entry));
  });

  app.openapi(release, async (context) => {
    const by = { actor: "operator", revision: revisionAsked(context.req.valid("header")["if-match"]) };
    const outcome = await releaseTenant(ports, context.req.valid("param").tenantId, by);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    return context.json(tenantDocument(outcome.value.entry), 200, entityTag(outcome.value.entry));
  });
}

function termsDocument({ policyVersion, policyDigest, terms }: RetentionTerms): RetentionTermsDocument {
  const shownTerms = terms.map(({ kind, className, beforeMs, models }) => ({
    records: kind,
    retentionClass: className,
    before: new Date(beforeMs).toISOString(),
    models: models === undefined ? null : [...models],
  }));
  return { policyVersion, policyDigest, terms: shownTerms };
}
