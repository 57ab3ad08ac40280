import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Shadow, ShadowReport } from "../bundle/shadow.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";

export interface ShadowPorts {
  readonly shadow: Shadow;
}

export interface ShadowDifferenceDocument {
  tenant: string;
  model: string;
  surface: string;
  /** The kind of refusal; `null`: permitted. */
  activeRefusal: string | null;
  candidateRefusal: string | null;
  activeModel: string | null;
  candidateModel: string | null;
  lost: string[];
  gained: string[];
  requests: number;
  firstAt: string;
  lastAt: string;
}

export interface ShadowDocument {
  version: string;
  digest: string;
  replicas: number;
  compared: number;
  different: number;
  differences: ShadowDifferenceDocument[];
  unlisted: number;
}

const difference: z.ZodType<ShadowDifferenceDocument> = z
  .object({
    tenant: z.string(),
    model: z.string(),
    surface: z.string(),
    activeRefusal: z.string().nullable().openapi({ description: "The kind of refusal; `null`: permitted." }),
    candidateRefusal: z.string().nullable(),
    activeModel: z.string().nullable(),
    candidateModel: z.string().nullable(),
    lost: z.array(z.string()).openapi({ description: "Deployments that only the active policy admits." }),
    gained: z.array(z.string()).openapi({ description: "Deployments that only the candidate admits." }),
    requests: z.int(),
    firstAt: z.iso.datetime(),
    lastAt: z.iso.datetime(),
  })
  .openapi("ShadowDifference");

const report: z.ZodType<ShadowDocument> = z
  .object({
    version: z.string(),
    digest: z.string(),
    replicas: z.int().openapi({ description: "Gateway processes that counted, those that run no more included." }),
    compared: z.int().openapi({ description: "Requests that were decided by both." }),
    different: z.int(),
    differences: z.array(difference),
    unlisted: z.int().openapi({ description: "Requests with differences beyond those that are listed." }),
  })
  .openapi("Shadow");

const show = createRoute({
  method: "get",
  path: `${controlPath}/policy/shadow`,
  tags: ["Policy"],
  summary: "Show what the bundle that is tried as a shadow would decide otherwise",
  description:
    "Counted over all gateway processes that share a directory, since the first of them read the bundle; each tells the others every 5 seconds. The bundle is a file `bundles/NAME.shadow.json` of the regions folder; it decides nothing.",
  responses: {
    200: shown(z.object({ shadow: report.nullable() }).openapi("ShadowReport"), "`null`: there is none"),
    ...problemAnswers,
  },
});

export function addShadowRoutes(app: OpenAPIHono, { shadow }: ShadowPorts): void {
  app.openapi(show, async (context) => context.json({ shadow: shadowDocument(await shadow.report()) }, 200));
}

function shadowDocument(found: ShadowReport | undefined): ShadowDocument | null {
  if (found === undefined) return null;
  const { world, differences, ...counts } = found;
  return {
    version: world.policy.version,
    digest: world.policy.digest,
    ...counts,
    differences: differences.map(({ tenantId, firstAtMs, lastAtMs, ...rest }) => ({
      tenant: tenantId,
      model: rest.model,
      surface: rest.surface,
      activeRefusal: rest.activeRefusal ?? null,
      candidateRefusal: rest.candidateRefusal ?? null,
      activeModel: rest.activeModel ?? null,
      candidateModel: rest.candidateModel ?? null,
      lost: [...rest.lost],
      gained: [...rest.gained],
      requests: rest.requests,
      firstAt: new Date(firstAtMs).toISOString(),
      lastAt: new Date(lastAtMs).toISOString(),
    })),
  };
}
