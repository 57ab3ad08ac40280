import { z } from "@hono/zod-openapi";
import { nearPercent } from "../quota/outcome.ts";
import { evidenceGrades, surfaces } from "../region/catalogue.ts";
import { tenantIdPattern } from "../tenant/key.ts";
import { limitUnits, type LimitUnit } from "../tenant/limit-setting.ts";
import type {
  AuditDocument,
  IssuedKeyDocument,
  JwkMember,
  KeyDocument,
  LimitDocument,
  LimitUseDocument,
  OidcDocument,
  TenantDocument,
} from "./documents.ts";
import { country, text, time, who, why } from "./fields.ts";
import type { NewKey } from "./keys.ts";
import { factsEvidenceSchema, identifiers, ownershipSchema, shownSchema, verificationSchema } from "./legal-entity-schemas.ts";
import { calendarCeilingLimit, limitsLimit } from "./limits.ts";
import type { LimitInput } from "./limits.ts";
import type { NewTenant, TenantChange } from "./tenants.ts";

/**
 * The shapes that the API takes and gives: the validator and the OpenAPI document both come from these. Each is typed
 * by the function that takes it, so the two cannot drift apart. What is taken is strict: a misspelt field that was
 * passed over in silence would be a restriction that nobody applies.
 */
const countries = z.array(country).max(300);
const names = z.array(text(200)).max(200);
const surface = z.enum(surfaces as [(typeof surfaces)[number], ...(typeof surfaces)[number][]]);
const evidence = z.enum(evidenceGrades as [(typeof evidenceGrades)[number], ...(typeof evidenceGrades)[number][]]);
const audience = z.enum(["internal", "public-facing"]);

const holds = z.enum(["worst_case", "learned"]);

const facts = {
  registeredCountry: country.nullish(),
  headquartersCountry: country.nullish(),
  ultimateParentCountry: country.nullish(),
  endUse: text(1_000).nullish(),
  audience: audience.nullish(),
};

/** Whoever holds these could sign tokens as the issuer; a key set is public or it is a mistake. */
const privateMembers: readonly string[] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const jwkMember: z.ZodType<JwkMember> = z.union([z.string(), z.array(z.string()), z.boolean(), z.number()]);
const jwk = z.record(z.string(), jwkMember).superRefine((key, context) => {
  for (const member of privateMembers) {
    if (!Object.hasOwn(key, member)) continue;
    context.addIssue({ code: "custom", path: [member], message: "Private key material: send the public half of the key alone." });
  }
  if (typeof key["kty"] !== "string")
    context.addIssue({ code: "custom", path: ["kty"], message: "Every key says its type in `kty`." });
});

const oidc: z.ZodType<OidcDocument> = z
  .strictObject({
    issuer: z.url({ protocol: /^https$/, error: "Write the issuer as an https URL." }).max(500),
    audience: text(500),
    jwks: z.object({ keys: z.array(jwk).min(1).max(50) }),
    claims: z.record(z.string().max(200), z.string().max(1_000)).default({}),
  })
  .openapi("OidcIssuer");

const limit = {
  name: z.string().min(1).max(64).openapi({ example: "tokens-per-minute" }),
  unit: z.enum(limitUnits as [LimitUnit, ...LimitUnit[]]),
  window: z
    .enum(["minute", "day", "month", "open"])
    .openapi({ description: "`open` goes with `concurrent`, and the others with the other units." }),
  ceiling: z.int().min(0).max(calendarCeilingLimit),
};
const onOutage = ["refuse", "allow-local"] as const;
const limitInput: z.ZodType<LimitInput> = z
  .strictObject({
    ...limit,
    burst: z.int().nullish().openapi({ description: "With `minute` alone: the bucket's capacity; one minute's worth without." }),
    key: text(60).nullish().openapi({ description: "A key's id, or `each` for a counter per key." }),
    model: text(200).nullish().openapi({ description: "A model's name, or `each` for a counter per model." }),
    tier: text(200).nullish().openapi({ description: "A tier of models, or `each` for a counter per tier." }),
    endUser: text(60).nullish().openapi({
      description: "`each` for a counter per end user, as requests name them; or one end user's hash, as receipts show it.",
    }),
    shadow: z.boolean().nullish().openapi({ description: "Counted and reported, and never refuses." }),
    slices: z
      .boolean()
      .nullish()
      .openapi({
        description:
          "Gateways may hold a slice of it for a second or so and admit from that by themselves, for tenants with many requests a second. " +
          "Only requests of which all limits allow it are admitted so.",
      }),
    onOutage: z
      .enum(onOutage)
      .nullish()
      .openapi({
        description:
          "When the store of limits is away: `refuse`, or with `slices` also `allow-local`, which admits from what is left of the last slice " +
          "the requests of which all limits say so.",
      }),
  })
  .openapi("LimitInput");
const limitInputs = z.array(limitInput).max(limitsLimit);

const changeable = {
  identifiers: identifiers.optional(),
  evidence: shownSchema.optional().openapi({
    description:
      "What shows the facts given here. Facts that are changed without it are shown by nothing that has a date; one that documents contradict is not settled without it.",
  }),
  tiers: names.optional(),
  allowCountries: countries.nullish().openapi({ description: "`null` allows any." }),
  denyCountries: countries.optional(),
  leastEvidence: evidence.nullish().openapi({ description: "`null` takes what the policy says." }),
  timeZone: text(64)
    .nullish()
    .openapi({ description: "Where its days and months begin: an IANA name; `null` is UTC.", example: "Asia/Singapore" }),
  holds: holds.nullish().openapi({
    description:
      "What a request holds of its limits until it is settled. `worst_case`: all that it could use, so that use never passes a limit. " +
      "`learned`: what requests like it used, which refuses far less and may pass a limit by what a few use more.",
  }),
  oidc: oidc.nullish(),
  reason: why,
  by: who,
};

export const newTenantSchema: z.ZodType<NewTenant> = z
  .strictObject({
    id: z.string().regex(tenantIdPattern, "Write 3 to 40 of a-z, 0-9 and _.").optional(),
    name: text(200),
    facts: z.strictObject(facts).optional(),
    ...changeable,
    limits: limitInputs.optional(),
  })
  .openapi("NewTenant");

export const tenantChangeSchema: z.ZodType<TenantChange> = z
  .strictObject({ name: text(200).optional(), facts: z.strictObject(facts).optional(), ...changeable })
  .openapi("TenantChange");

export const newKeySchema: z.ZodType<NewKey> = z
  .strictObject({
    name: text(200),
    expiresAt: time.nullish(),
    models: names.nullish().openapi({ description: "`null`: all that the tenant may use." }),
    surfaces: z.array(surface).nullish().openapi({ description: "`null`: all that the tenant may use." }),
  })
  .openapi("NewKey");

export const newLimitsSchema: z.ZodType<{ limits: LimitInput[] }> = z.strictObject({ limits: limitInputs }).openapi("NewLimits");

export const tenantSchema: z.ZodType<TenantDocument> = z
  .object({
    id: z.string(),
    name: z.string(),
    revision: z.int(),
    createdAt: time,
    verification: verificationSchema,
    legalHold: z.object({ since: time, reason: z.string(), by: z.string().nullable() }).nullable(),
    identifiers: z.array(z.string()),
    facts: z.object({
      registeredCountry: z.string().nullable(),
      headquartersCountry: z.string().nullable(),
      ultimateParentCountry: z.string().nullable(),
      endUse: z.string().nullable(),
      audience: audience.nullable(),
    }),
    factsEvidence: factsEvidenceSchema,
    ownership: ownershipSchema.nullable(),
    tiers: z.array(z.string()),
    allowCountries: z.array(z.string()).nullable(),
    denyCountries: z.array(z.string()),
    leastEvidence: evidence.nullable(),
    timeZone: z.string(),
    holds,
    oidc: oidc.nullable(),
  })
  .openapi("Tenant");

const key = {
  id: z.string(),
  name: z.string(),
  state: z.enum(["active", "expired", "revoked"]),
  createdAt: time,
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
  lastUsedAt: time.nullable(),
  models: z.array(z.string()).nullable(),
  surfaces: z.array(surface).nullable(),
};

export const keySchema: z.ZodType<KeyDocument> = z.object(key).openapi("Key");

export const issuedKeySchema: z.ZodType<IssuedKeyDocument> = z
  .object({ ...key, key: z.string().openapi({ description: "The key itself. It is shown here and never again." }) })
  .openapi("IssuedKey");

export const limitSchema: z.ZodType<LimitDocument> = z
  .object({
    ...limit,
    burst: z.int().nullable(),
    key: z.string().nullable(),
    model: z.string().nullable(),
    tier: z.string().nullable(),
    endUser: z.string().nullable(),
    shadow: z.boolean(),
    slices: z.boolean(),
    onOutage: z.enum(onOutage),
  })
  .openapi("Limit");

export const limitUseSchema: z.ZodType<LimitUseDocument> = z
  .object({
    name: limit.name,
    unit: limit.unit,
    window: limit.window,
    counter: z.string(),
    capacity: z.int(),
    remaining: z.int(),
    resetMs: z.int().openapi({ description: "Milliseconds until the limit is whole again with nothing further admitted." }),
    near: z.boolean().openapi({ description: `At least ${nearPercent} % is used or held.` }),
    shadow: z.boolean(),
  })
  .openapi("LimitUse");

export const auditSchema: z.ZodType<AuditDocument> = z
  .object({
    id: z.string(),
    at: time,
    actor: z.string(),
    action: z.string(),
    tenantId: z.string(),
    detail: z.record(z.string(), z.unknown()),
  })
  .openapi("AuditEntry");
