import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { LoadedBundle } from "../bundle/loaded-bundles.ts";
import { signedBundleSchema } from "../bundle/signed-bundle.ts";
import { answerProblem } from "./answer.ts";
import { loadBundle, withdrawBundle, type BundlePorts } from "./bundles.ts";
import { controlPath } from "./control-path.ts";
import { who, why } from "./fields.ts";
import { bodyOf, problemAnswers, shown } from "./route-parts.ts";

const tags = ["Policy"];
export const bundlesPath: `${typeof controlPath}/policy/bundles` = `${controlPath}/policy/bundles`;

export interface LoadedBundleDocument {
  digest: string;
  version: string;
  shadow: boolean;
  /** RFC 3339; `null`: from ever. */
  effectiveFrom: string | null;
  /** `null`: for ever. */
  effectiveTo: string | null;
  loadedAt: string;
  by: string | null;
  reason: string | null;
}

export type BundleIdentityDocument = Pick<
  LoadedBundleDocument,
  "digest" | "version" | "shadow" | "effectiveFrom" | "effectiveTo"
>;

const identity = {
  digest: z.string().openapi({ description: "SHA-256 of the bundle, hex." }),
  version: z.string(),
  shadow: z.boolean().openapi({ description: "It decides nothing, and is tried beside the one that does." }),
  effectiveFrom: z.string().nullable(),
  effectiveTo: z.string().nullable(),
};
const identitySchema: z.ZodType<BundleIdentityDocument> = z.object(identity).openapi("BundleIdentity");

const bundleSchema: z.ZodType<LoadedBundleDocument> = z
  .object({ ...identity, loadedAt: z.string(), by: z.string().nullable(), reason: z.string().nullable() })
  .openapi("LoadedBundle");

const query = z.object({
  shadow: z
    .enum(["true", "false"])
    .default("false")
    .openapi({ description: "`true`: the one that is tried as a shadow, which needs no signature." }),
  by: who,
  reason: why,
});

const list = createRoute({
  method: "get",
  path: bundlesPath,
  tags,
  summary: "List the policy bundles that were loaded",
  description:
    "As all replicas find them in the store. What this gateway made of them, beside the files of its regions folder, is at GET /control/v1/policy.",
  responses: {
    200: shown(z.object({ bundles: z.array(bundleSchema) }).openapi("LoadedBundles"), "The bundles, by digest"),
    ...problemAnswers,
  },
});

const load = createRoute({
  method: "post",
  path: bundlesPath,
  tags,
  summary: "Load a signed policy bundle on all replicas",
  description:
    "It is verified as one in the regions folder: signature, digest, dates, content, and whether it reads with the regions (422). 409 where another bundle has its version or begins at its instant. It decides from its beginning on; every replica that reaches the store knows it within two seconds, so that one that begins later than that is switched to by all at once.",
  request: { query, ...bodyOf(signedBundleSchema) },
  responses: {
    200: shown(identitySchema, "It stood already; nothing was written"),
    201: shown(identitySchema, "It is loaded"),
    ...problemAnswers,
  },
});

const withdraw = createRoute({
  method: "delete",
  path: `${bundlesPath}/{digest}`,
  tags,
  summary: "Withdraw a policy bundle that was loaded and is not in force",
  request: { params: z.object({ digest: z.string().openapi({ param: { name: "digest", in: "path" } }) }), query },
  responses: { 200: shown(bundleSchema, "What was withdrawn"), ...problemAnswers },
});

export function addBundleRoutes(app: OpenAPIHono, ports: BundlePorts): void {
  app.openapi(list, async (context) => {
    const bundles = await ports.loading.records.bundles();
    return context.json({ bundles: bundles.map(bundleDocument) }, 200);
  });

  app.openapi(load, async (context) => {
    const { shadow, ...told } = context.req.valid("query");
    const use = { shadow: shadow === "true", ...told };
    const outcome = await loadBundle(ports, "operator", context.req.valid("json"), use);
    if (!outcome.ok) return answerProblem(context, outcome.refusal);
    const { signed, isNew } = outcome.value;
    const { version, effectiveFrom = null, effectiveTo = null } = signed.bundle;
    return context.json({ digest: signed.digest, version, shadow: use.shadow, effectiveFrom, effectiveTo }, isNew ? 201 : 200);
  });

  app.openapi(withdraw, async (context) => {
    const { shadow, ...told } = context.req.valid("query");
    const { digest } = context.req.valid("param");
    const outcome = await withdrawBundle(ports, "operator", digest, { shadow: shadow === "true", ...told });
    return outcome.ok ? context.json(bundleDocument(outcome.value), 200) : answerProblem(context, outcome.refusal);
  });
}

/** All but the text, which whoever loaded it has. */
function bundleDocument(bundle: LoadedBundle): LoadedBundleDocument {
  const { digest, version, shadow, effectiveFrom, effectiveTo, loadedAt, by, reason } = bundle;
  return { digest, version, shadow, effectiveFrom, effectiveTo, loadedAt, by, reason };
}
