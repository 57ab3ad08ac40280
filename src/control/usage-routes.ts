import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { JournalReader, ReservationReader } from "../ledger/journal-reader.ts";
import { checkCounters, type CounterReport } from "../ledger/usage-counters.ts";
import { usageDocument } from "../ledger/usage-document.ts";
import { readUsageAsked } from "../ledger/usage-period.ts";
import { answerProblem } from "./answer.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import type { InspectLimits } from "./limit-routes.ts";
import { controlPath, problemAnswers, shown, tenantParams } from "./route-parts.ts";
import { addUsageExportRoutes } from "./usage-export-routes.ts";
import { defaultsFor, described, malformed, parameterOf, periodQuery } from "./usage-query.ts";
import { counterReportSchema, usageSchema, type CounterReportDocument } from "./usage-schemas.ts";

/** Each absent where the runtime has no such store; what would need it is then not served. */
export interface UsagePorts {
  readonly reader?: JournalReader | undefined;
  readonly reservations?: ReservationReader | undefined;
  readonly inspectLimits?: InspectLimits | undefined;
}

const tags = ["Usage"];

const sums = createRoute({
  method: "get",
  path: `${controlPath}/usage`,
  tags,
  summary: "Sum up what was used, across tenants or of one",
  description: "A request counts for the time at which it began.",
  request: {
    query: z.object({
      ...periodQuery,
      by: described("What sums are apart by, as a list with commas: day (the default), tenant, model, key, region, end."),
    }),
  },
  responses: { 200: shown(usageSchema, "The sums"), ...problemAnswers },
});

const counters = createRoute({
  method: "get",
  path: `${controlPath}/tenants/{tenantId}/reconciliation`,
  tags,
  summary: "Compare a tenant's counters with the journal",
  description: "Limits by the day and month: what the quota store counted, beside the sums of receipts and what is in flight.",
  request: { params: tenantParams },
  responses: { 200: shown(counterReportSchema, "Every counter"), ...problemAnswers },
});

export function addUsageRoutes(app: OpenAPIHono, ports: ChangePorts, { reader, reservations, inspectLimits }: UsagePorts): void {
  if (reader === undefined) return;
  addUsageExportRoutes(app, ports, reader);

  app.openapi(sums, async (context) => {
    const query = context.req.valid("query");
    const defaults = await defaultsFor(ports, query.tenant);
    if (!defaults.ok) return answerProblem(context, defaults.refusal);
    const asked = readUsageAsked(parameterOf(query), defaults.value);
    if (!asked.ok) return answerProblem(context, malformed(asked.problems));
    const usage = await usageDocument(reader, query.tenant, asked.value);
    return usage.ok ? context.json(usage.value, 200) : answerProblem(context, malformed(usage.problems));
  });

  if (reservations === undefined || inspectLimits === undefined) return;
  app.openapi(counters, async (context) => {
    const outcome = await findTenant(ports, context.req.valid("param").tenantId);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { tenant, limits } = outcome.value;
    const { models } = ports.catalogue();
    const nowMs = ports.clock.nowMs();
    const subject = { tenantId: tenant.id, limits, timeZone: tenant.timeZone };
    const report = await checkCounters(
      subject,
      { reader, reservations, inspect: inspectLimits, tierOf: (model) => models.get(model)?.tier },
      nowMs,
    );
    return context.json(reportDocument(tenant.id, report, nowMs), 200);
  });
}

function reportDocument(tenant: string, { checks, left }: CounterReport, nowMs: number): CounterReportDocument {
  return {
    tenant,
    at: new Date(nowMs).toISOString(),
    counters: checks.map(({ sinceMs, ...check }) => ({ ...check, since: new Date(sinceMs).toISOString() })),
    left: left.map((one) => ({ ...one })),
  };
}
