import { z } from "@hono/zod-openapi";
import type { Owner } from "../tenant/ownership.ts";
import type { FactsEvidenceDocument, OwnershipDocument, VerificationDocument } from "./documents.ts";
import { country, text, time, who, why } from "./fields.ts";
import { factNames, type FactStatement, type Shown } from "./facts.ts";
import type { OwnershipChange } from "./ownership.ts";
import { transitions } from "./verification.ts";
import type { VerificationChange } from "./verification.ts";

/** What is known of the tenant as a legal entity, as the API takes and gives it. */
const states = Object.keys(transitions) as [keyof typeof transitions, ...(keyof typeof transitions)[]];
const state = z.enum(states);

export const identifiers: z.ZodArray<z.ZodString> = z
  .array(text(200))
  .max(50)
  .openapi({ description: "As lists and registers know the company.", example: ["LEI:5493001KJTIIGC8Y1R12"] });

export const shownSchema: z.ZodType<Shown> = z
  .strictObject({
    reference: text(500).openapi({ description: "A document's reference, never the document." }),
    asOf: time.openapi({ description: "As of when it shows it." }),
  })
  .openapi("Evidence");

export const verificationChangeSchema: z.ZodType<VerificationChange> = z
  .strictObject({
    state,
    evidence: text(500, "Name the document that shows it, such as a file's reference; in the command as --evidence.").openapi({
      description: "A document's reference, never the document; a new one for each step.",
    }),
    expiresAt: time.optional().openapi({ description: "With `verified`: from here on the evidence no longer admits." }),
    reason: text(1_000, "Say why: whoever reads the audit later has nothing else; in the command as --reason.").openapi({
      description: "Why.",
    }),
    by: text(200, "Name who decided it, as the operator key does not tell; in the command as --by.").openapi({
      description: "Who decided it: a person or desk. The audit names it beside the operator.",
    }),
  })
  .openapi("VerificationChange");

export const verificationSchema: z.ZodType<VerificationDocument> = z.object({
  state,
  since: time,
  evidence: z.string().nullable(),
  expiresAt: time.nullable(),
  by: z.string().nullable(),
  reason: z.string().nullable(),
});

export const factStatementSchema: z.ZodType<FactStatement> = z
  .strictObject({ fact: z.enum(factNames), value: text(1_000), evidence: shownSchema, reason: why, by: who })
  .openapi("FactStatement");

const contradiction = z.object({ value: z.string(), reference: z.string(), asOf: time });
const factEvidence = z.object({ reference: z.string(), asOf: time, contradictions: z.array(contradiction) }).nullable();

export const factsEvidenceSchema: z.ZodType<FactsEvidenceDocument> = z.object({
  registeredCountry: factEvidence,
  headquartersCountry: factEvidence,
  ultimateParentCountry: factEvidence,
  endUse: factEvidence,
  audience: factEvidence,
});

const ownerId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,59}$/, "Write 1 to 60 of a-z, 0-9, _ and -.");
const kinds = ["company", "person", "state", "dispersed"] as const satisfies readonly Owner["kind"][];
const kind = z
  .enum(kinds)
  .openapi({ description: "`dispersed`: many holders none of whom must be named, such as a free float." });
const basisPoints = z
  .int()
  .min(1)
  .max(10_000)
  .openapi({ description: "Hundredths of a percent; `null` is unknown.", example: 5_000 });

export const ownershipChangeSchema: z.ZodType<OwnershipChange> = z
  .strictObject({
    ownership: z
      .strictObject({
        owners: z
          .array(
            z.strictObject({
              id: ownerId,
              name: text(300),
              kind,
              country: country.nullish(),
              identifiers: identifiers.optional(),
            }),
          )
          .max(500),
        holdings: z
          .array(
            z.strictObject({
              owner: ownerId,
              of: ownerId.openapi({ description: "`tenant`, or the id of an owner that is a company." }),
              basisPoints: basisPoints.nullish(),
              evidence: text(500),
              asOf: time,
            }),
          )
          .max(1_000),
      })
      .nullable()
      .openapi({ description: "`null`: unresolved, which refuses wherever a rule asks." }),
    reason: why,
    by: who,
  })
  .openapi("OwnershipChange");

export const ownershipSchema: z.ZodType<OwnershipDocument> = z
  .object({
    owners: z.array(
      z.object({ id: z.string(), name: z.string(), kind, country: z.string().nullable(), identifiers: z.array(z.string()) }),
    ),
    holdings: z.array(
      z.object({ owner: z.string(), of: z.string(), basisPoints: z.int().nullable(), evidence: z.string(), asOf: time }),
    ),
  })
  .openapi("Ownership");
