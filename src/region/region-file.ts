import { z } from "zod";
import { evidenceGrades, surfaces, type CredentialReference, type EvidenceGrade, type Surface, type Wire } from "./catalogue.ts";
import { country, countryOrGroup, looseList, loosely, name, positive, text, type Loose } from "./fields.ts";
import { parseNetwork } from "./network.ts";
import { datedPriceEntries, type DatedPriceEntry } from "./price-entry.ts";
import { skuNames, type SkuName } from "./sku.ts";

/** One `[[deployments]]` of a region's file, as written. */
export interface DeploymentEntry {
  readonly model: string;
  readonly name?: string | undefined;
  readonly upstream_name?: string | undefined;
  readonly sku: SkuName;
  readonly countries?: "anywhere" | "unknown" | readonly string[] | undefined;
  readonly evidence?: EvidenceGrade | undefined;
  readonly inference_geo?: "us" | undefined;
  readonly served_as?: readonly string[] | undefined;
  readonly surfaces?: readonly Surface[] | undefined;
  readonly tokens_per_minute?: number | undefined;
  readonly weight?: number | undefined;
  readonly prices?: readonly DatedPriceEntry[] | undefined;
  readonly price_premium_percent?: number | undefined;
}

export interface GeographyEntry {
  readonly name: string;
  readonly countries: readonly string[];
}

/** `regions/<id>.toml`, as written. */
export interface RegionEntry {
  readonly id: string;
  readonly provider: string;
  readonly wire: Wire;
  readonly endpoint: string;
  readonly credential: CredentialReference;
  readonly country: string;
  readonly display_name: string;
  readonly coordinates: { readonly latitude: number; readonly longitude: number };
  readonly geography?: GeographyEntry | undefined;
  readonly api_version?: string | undefined;
  readonly domestic?: boolean | undefined;
  readonly networks?: readonly string[] | undefined;
  readonly address_in_country?: boolean | undefined;
  readonly local?: boolean | undefined;
  readonly key_pins?: readonly string[] | undefined;
  readonly reported_as?: readonly string[] | undefined;
  readonly deployments: readonly DeploymentEntry[];
}

/** An endpoint that is written as a loopback address declares by that alone where it is. */
export function isLocal({ local, endpoint }: Loose<Pick<RegionEntry, "local" | "endpoint">>): boolean {
  return local ?? (endpoint !== undefined && isLoopback(URL.parse(endpoint)));
}

function isLoopback(url: URL | null): boolean {
  return url?.hostname === "127.0.0.1" || url?.hostname === "[::1]" || url?.hostname === "localhost";
}

const endpoint = z.string().check((context) => {
  const problem = endpointProblem(context.value);
  if (problem !== undefined) context.issues.push({ code: "custom", input: context.value, message: problem });
});

/** TLS, and nothing in the address that would be lost or leaked: `https://host[:port][/base]`. */
function endpointProblem(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null) return "expected an address such as https://host";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url)))
    return "expected https (http only on loopback)";
  if (url.username !== "" || url.password !== "") return "expected no user or password: a credential is named in `credential`";
  if (value.includes("?") || value.includes("#")) return "expected no query and no fragment";
  if (value.endsWith("/")) return "expected no slash at the end";
  return undefined;
}

const credential = z
  .union(
    [
      z.strictObject({
        env: z.string().regex(/^[A-Z][A-Z0-9_]*$/, "expected the name of an environment variable, never the value itself"),
      }),
      z.strictObject({ file: z.string().regex(/^[^\s]+$/) }),
    ],
    { error: 'expected where to read it, never the value itself: { env = "NAME" } or { file = "/path" }' },
  )
  .describe("Where to read the credential; never the credential itself.");

const deployment = {
  model: name.describe("A model of models.toml."),
  name: name.optional().describe("Tells this deployment from others of the region; by default the model's id."),
  upstream_name: text.optional().describe("What the upstream calls it; by default the model's id."),
  sku: z.enum(skuNames).describe("Decides how far the provider may move the work."),
  countries: z
    .union([z.literal("anywhere"), z.literal("unknown"), z.array(countryOrGroup).min(1)], {
      error: 'expected a list of countries and groups, such as ["SG", "HK"], or "anywhere"',
    })
    .optional()
    .describe("All countries in which this deployment may process; by default the region's geography for SKUs that keep to it."),
  evidence: z.enum(evidenceGrades).optional().describe("Follows from the SKU; may be repeated here, never raised."),
  inference_geo: z.literal("us").optional().describe("What `usage.inference_geo` of every answer must say."),
  served_as: z
    .array(text)
    .min(1)
    .optional()
    .describe("What answers may call the model, beside its id, its aliases and upstream_name, each with or without a date."),
  surfaces: z.array(z.enum(surfaces)).min(1).optional().describe("By default all that the model has and the wire can carry."),
  tokens_per_minute: positive.optional().describe("What the provider grants this deployment."),
  weight: positive.max(1_000).optional().describe("Share among equally good deployments; 1 by default."),
  prices: datedPriceEntries.optional().describe("This deployment's own, where they are not the model's."),
  price_premium_percent: z.int().min(0).max(500).optional().describe("On top of the model's prices, or of its own."),
};

const head = {
  id: name.describe("The file's name without `.toml`."),
  provider: name,
  wire: z.enum(["openai", "azure", "anthropic"]).describe("What the endpoint speaks."),
  endpoint: endpoint.describe("https://host[/base], without a slash at the end."),
  credential,
  country: country.describe("The country in which the endpoint stands."),
  display_name: text.describe("What the provider calls the region, in `x-ms-region` for one."),
  coordinates: z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) }),
  geography: z
    .strictObject({ name: text, countries: z.array(country).min(1) })
    .optional()
    .describe("The provider's geography and all its countries: where a Standard deployment may process."),
  api_version: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}(-preview)?$/, "expected a date such as 2024-10-21, with or without -preview")
    .optional()
    .describe("Azure: the `api-version` for paths that need one."),
  domestic: z.boolean().optional().describe("Stands in a home country of the policy: listed to be refused."),
  networks: z
    .array(z.string().refine((value) => parseNetwork(value) !== undefined, "expected a network such as 20.43.0.0/16"))
    .min(1)
    .optional()
    .describe("The networks in which the endpoint's address must lie."),
  address_in_country: z
    .literal(true)
    .optional()
    .describe("The endpoint's address must lie in `country`, by the table of addresses."),
  local: z
    .boolean()
    .optional()
    .describe("The endpoint is in a private network or on this machine; so by itself where it is written as a loopback address."),
  key_pins: z
    .array(z.string().regex(/^[A-Za-z0-9+/]{43}=$/, "expected the SHA-256 of a public key (SPKI) as base64"))
    .min(1)
    .optional()
    .describe("The endpoint's certificate must have one of these public keys."),
  reported_as: z
    .array(text)
    .min(1)
    .optional()
    .describe("Other names by which `x-ms-region` may call the region, beside its id and its display name."),
};

export const regionFile: z.ZodType<RegionEntry> = z
  .strictObject({ ...head, deployments: z.array(z.strictObject(deployment)).min(1) })
  .meta({ title: "A region of Strait" });

export const looseRegion: z.ZodType<Loose<Omit<RegionEntry, "deployments">>> = loosely<Omit<RegionEntry, "deployments">>(head);

export const looseDeployment: z.ZodType<Loose<DeploymentEntry>> = loosely<DeploymentEntry>({
  ...deployment,
  countries: z.union([z.literal("anywhere"), z.literal("unknown"), looseList]),
  surfaces: looseList,
});
