import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { readCursor, type JournalReader } from "../ledger/journal-reader.ts";
import { exportContentType, exportFormats, exportKinds, exportReceipts } from "../ledger/usage-export.ts";
import { readPeriod } from "../ledger/usage-period.ts";
import { answerProblem } from "./answer.ts";
import type { ChangePorts } from "./change.ts";
import { controlPath, problemAnswers } from "./route-parts.ts";
import { defaultsFor, described, malformed, parameterOf, periodQuery } from "./usage-query.ts";

const flag = z.enum(["true", "false"], "Write true or false.");

const query = z.object({
  ...periodQuery,
  format: z
    .enum(exportFormats, `Write ${exportFormats.join(" or ")}.`)
    .openapi({ description: "FOCUS 1.2 as CSV, or receipts as JSON Lines." }),
  kind: z
    .enum(exportKinds, `Write ${exportKinds.join(" or ")}.`)
    .default("receipts")
    .openapi({
      description: "Receipts of what was admitted; or, as JSON Lines, the records of what was refused before anything was held.",
    }),
  after: described("A cursor out of an export: go on after the line that carries it."),
  settled: flag.default("false").openapi({ description: "End where receipts of requests in flight may still come in between." }),
  header: flag.default("true").openapi({ description: "Whether a CSV begins with the names of its columns." }),
  issuer: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .default("Strait")
    .openapi({ description: "Who bills: provider and invoice issuer in FOCUS." }),
});

const receipts = createRoute({
  method: "get",
  path: `${controlPath}/usage/export`,
  tags: ["Usage"],
  summary: "Export receipts, streamed",
  description:
    "In the order in which their requests began. Each line carries the cursor to resume after it (`x_cursor` in FOCUS, `cursor` in JSON " +
    "Lines), save at the end, where receipts of requests in flight may still come in between. Where an export breaks off, drop the " +
    "lines after the last cursor and ask again with `after`: every receipt comes once.",
  request: { query },
  responses: {
    200: {
      description: "The receipts",
      content: { "text/csv": { schema: z.string() }, "application/x-ndjson": { schema: z.string() } },
    },
    ...problemAnswers,
  },
});

export function addUsageExportRoutes(app: OpenAPIHono, ports: ChangePorts, reader: JournalReader): void {
  app.openapi(receipts, async (context) => {
    const asked = context.req.valid("query");
    const defaults = await defaultsFor(ports, asked.tenant);
    if (!defaults.ok) return answerProblem(context, defaults.refusal);
    const period = readPeriod(parameterOf(asked), defaults.value);
    const after = asked.after === undefined ? undefined : readCursor(asked.after);
    const problems = period.ok ? [] : [...period.problems];
    if (asked.after !== undefined && after === undefined)
      problems.push({ parameter: "after", expected: "a cursor as it stands in a line of an export" });
    if (period.ok && asked.kind === "refusals") {
      if (asked.format !== "jsonl") problems.push({ parameter: "format", expected: "jsonl: what was refused costs nothing" });
      const none = { ...period.value, tenantId: asked.tenant, after: undefined, count: 0 };
      if ((await reader.scanRefusals(none)) === undefined)
        problems.push({ parameter: "tenant", expected: "a tenant's id: here refusals are told of one tenant at a time" });
    }
    if (!period.ok || problems.length > 0) return answerProblem(context, malformed(problems));
    const { format, issuer, tenant: tenantId } = asked;
    const stream = await exportReceipts(
      {
        ...period.value,
        kind: asked.kind,
        format,
        issuer,
        tenantId,
        after,
        settledOnly: asked.settled === "true",
        header: asked.header === "true",
      },
      { reader, catalogue: ports.catalogue(), tenantName: async (id) => (await ports.directory.find(id))?.tenant.name },
    );
    const file = format === "focus" ? "strait-focus.csv" : `strait-${asked.kind}.jsonl`;
    context.header("content-type", exportContentType[format]);
    context.header("content-disposition", `attachment; filename="${file}"`);
    // By the context, which adds the headers that every answer has.
    return context.newResponse(stream, 200);
  });
}
