import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { answerProblem } from "./answer.ts";
import type { ChangePorts } from "./change.ts";
import { time } from "./fields.ts";
import { checkModel } from "./known-names.ts";
import { priceDocument, type PriceDocument, type TieredRatesDocument } from "./price-documents.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";

const optional = z.int().nullable();
const rates = {
  input: z.int().openapi({ description: "Micro-USD for a million tokens, as all rates." }),
  cachedInput: z.int(),
  cacheWrite: z.int(),
  cacheWriteLong: optional.openapi({ description: "`null` here and below: as what it is part of." }),
  output: z.int(),
  reasoning: optional,
  audioInput: optional,
  audioOutput: optional,
  imageInput: optional,
};
const longContext: z.ZodType<TieredRatesDocument["longContext"]> = z.object({ aboveInputTokens: z.int(), ...rates }).nullable();
const tiered: z.ZodType<TieredRatesDocument> = z.object({ ...rates, longContext });

const priceSchema: z.ZodType<PriceDocument> = z
  .object({
    deployment: z.string(),
    model: z.string(),
    region: z.string(),
    effectiveFrom: z.iso.datetime().nullable().openapi({ description: "`null`: a deployment's first price." }),
    effectiveTo: z.iso.datetime().nullable().openapi({ description: "`null`: no later price is known." }),
    ...rates,
    longContext,
    serviceTiers: z.record(z.string(), tiered),
  })
  .openapi("Price");

const list = createRoute({
  method: "get",
  path: `${controlPath}/prices`,
  tags: ["Prices"],
  summary: "Show what each deployment costs",
  description: "A request has the price in force when it was admitted. Prices are part of the catalogue and changed there.",
  request: {
    query: z.object({
      model: z.string().min(1).max(200).optional().openapi({ description: "Only this model's." }),
      at: time.optional().openapi({ description: "The prices in force then; now where absent." }),
    }),
  },
  responses: {
    200: shown(z.object({ prices: z.array(priceSchema) }).openapi("Prices"), "Every deployment with its price"),
    ...problemAnswers,
  },
});

export function addPriceRoutes(app: OpenAPIHono, ports: ChangePorts): void {
  app.openapi(list, (context) => {
    const { model, at } = context.req.valid("query");
    const catalogue = ports.catalogue();
    const named = model === undefined ? undefined : checkModel(catalogue, model, "model");
    if (named !== undefined && named.problems.length > 0) {
      const problems = named.problems.map(({ pointer, detail }) => ({ parameter: pointer, detail }));
      return answerProblem(context, { kind: "malformed_request", problems });
    }
    const deployments = [...catalogue.deployments.values()].filter(
      (deployment) => named === undefined || deployment.model.id === named.id,
    );
    const atMs = at === undefined ? ports.clock.nowMs() : Date.parse(at);
    return context.json({ prices: deployments.map((deployment) => priceDocument(deployment, atMs)) }, 200);
  });
}
