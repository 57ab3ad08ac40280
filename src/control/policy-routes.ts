import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { BundleLoading } from "../bundle/loaded-bundles.ts";
import type { PolicyShelf } from "../bundle/policy-shelf.ts";
import type { Clock } from "../clock.ts";
import { policyStatus, type PolicyDocument, type PolicyStatusDocument } from "./policy-documents.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";

export interface PolicyPorts {
  readonly policies: () => PolicyShelf;
  /** Without it, the routes that load policy bundles are not served. */
  readonly loading?: BundleLoading | undefined;
  readonly clock: Clock;
}

const policy = {
  version: z.string(),
  digest: z.string().openapi({ description: "SHA-256 of the bundle, hex." }),
  file: z.string(),
  source: z.enum(["file", "loaded"]).openapi({ description: "`loaded`: by POST /control/v1/policy/bundles." }),
  keyId: z.string().nullable().openapi({ description: "Which trusted key signed it. `null`: a policy.toml, or a shadow." }),
  effectiveFrom: z.iso.datetime().nullable(),
  effectiveTo: z.iso.datetime().nullable(),
  catalogueDigest: z.string(),
};
const policySchema: z.ZodType<PolicyDocument> = z.object(policy).openapi("Policy");

const statusSchema: z.ZodType<PolicyStatusDocument> = z
  .object({
    policies: z.array(z.object({ ...policy, state: z.enum(["active", "pending", "superseded", "ended"]) })),
    refused: z.array(
      z.object({ file: z.string(), source: z.enum(["file", "loaded"]), reason: z.string(), keptVersion: z.string().nullable() }),
    ),
    shadow: policySchema.nullable(),
  })
  .openapi("PolicyStatus");

const show = createRoute({
  method: "get",
  path: `${controlPath}/policy`,
  tags: ["Policy"],
  summary: "Show which policy decides, which will, and which bundles were not taken",
  description: "Of this gateway process, from its clock. Where no policy is active, everything is refused.",
  responses: { 200: shown(statusSchema, "Policies in the order in which they begin"), ...problemAnswers },
});

export function addPolicyRoutes(app: OpenAPIHono, ports: PolicyPorts): void {
  app.openapi(show, async (context) => {
    // Where the store is away, what this process goes on with is what is asked for.
    await ports.loading?.refresh().catch(() => undefined);
    return context.json(policyStatus(ports.policies(), ports.clock.nowMs()), 200);
  });
}
