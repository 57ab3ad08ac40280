import { z } from "@hono/zod-openapi";
import { isInForce, scopeMembers, type RevocationOrder, type RevocationScope } from "../revocation/order.ts";
import type { Acknowledgement, Replica } from "../revocation/path.ts";
import { country, text, time } from "./fields.ts";

export interface NewRevocation extends RevocationScope {
  readonly reason: string;
  /** RFC 3339, in the future; absent: until it is restored. */
  readonly expiresAt?: string | null | undefined;
}

/** How an order stands on all replicas. */
export interface RevocationState {
  readonly order: RevocationOrder;
  readonly acknowledgements: readonly Acknowledgement[];
  /** Replicas that live and have not acknowledged. */
  readonly missing: readonly Replica[];
  /** Whether every replica that lives acknowledged, and all that they cut has ended. */
  readonly complete: boolean;
}

type Scope = Record<"model" | "tier" | "tenant" | "key" | "tenantCountry" | "country" | "deployment" | "region", string | null>;

/** Times are RFC 3339; `null` is not set. */
export interface RevocationDocument extends Scope {
  id: string;
  state: "in_force" | "expired" | "restored";
  reason: string;
  by: string;
  issuedAt: string;
  expiresAt: string | null;
  restoredAt: string | null;
  restoredBy: string | null;
}

export interface RevocationReceiptDocument extends RevocationStateDocument {
  /** A signed note with all of it, which `strait revocation verify` takes; `null` where no key of the log is valid. */
  signed: string | null;
}

export interface IssuedRevocationDocument extends RevocationDocument {
  writtenTo: string[];
}

export interface AcknowledgementDocument {
  replica: string;
  name: string;
  learnedAt: string;
  learnedBy: string;
  cut: number;
  ended: number;
  lastByteAt: string | null;
}

export interface RevocationStateDocument extends RevocationDocument {
  complete: boolean;
  /** Milliseconds from the order until the last of the replicas that ran then had learned of it, and sent the last byte of what it cut. */
  tookMs: number | null;
  acknowledgements: AcknowledgementDocument[];
  missing: { replica: string; name: string }[];
}

export const newRevocationSchema: z.ZodType<NewRevocation> = z
  .strictObject({
    model: text(200).optional(),
    tier: text(200).optional(),
    tenant: text(60).optional(),
    key: text(60).optional().openapi({ description: "A key's public id; for a token, the id in its receipts." }),
    tenantCountry: country.optional().openapi({ description: "Where tenants are registered, led or owned.", example: "SG" }),
    country: country
      .optional()
      .openapi({ description: "Where it may be processed: hits every deployment whose countries meet it.", example: "HK" }),
    deployment: text(200).optional(),
    region: text(200).optional(),
    reason: text(1_000),
    expiresAt: time.nullish().openapi({ description: "Absent: until it is restored." }),
  })
  .openapi("NewRevocation", { description: "All that is named must hold; at least one of the members before `reason`." });

const name = z.string().nullable();
const revocation = {
  id: z.string(),
  state: z.enum(["in_force", "expired", "restored"]),
  model: name,
  tier: name,
  tenant: name,
  key: name,
  tenantCountry: name,
  country: name,
  deployment: name,
  region: name,
  reason: z.string(),
  by: z.string(),
  issuedAt: time,
  expiresAt: time.nullable(),
  restoredAt: time.nullable(),
  restoredBy: z.string().nullable(),
};

export const revocationSchema: z.ZodType<RevocationDocument> = z.object(revocation).openapi("Revocation");

export const issuedRevocationSchema: z.ZodType<IssuedRevocationDocument> = z
  .object({
    ...revocation,
    writtenTo: z.array(z.string()).openapi({
      description:
        "The stores that have it. Where it is none, this replica alone holds it, and passes it on as soon as one is back.",
    }),
  })
  .openapi("IssuedRevocation");

const state = {
  ...revocation,
  complete: z.boolean().openapi({ description: "Every replica that lives acknowledged, and all that they cut has ended." }),
  tookMs: z.int().nullable(),
  acknowledgements: z.array(
    z.object({
      replica: z.string(),
      name: z.string(),
      learnedAt: time,
      learnedBy: z.string(),
      cut: z.int(),
      ended: z.int(),
      lastByteAt: time.nullable(),
    }),
  ),
  missing: z.array(z.object({ replica: z.string(), name: z.string() })),
};

export const revocationStateSchema: z.ZodType<RevocationStateDocument> = z.object(state).openapi("RevocationState");

export const revocationReceiptSchema: z.ZodType<RevocationReceiptDocument> = z
  .object({
    ...state,
    signed: z
      .string()
      .nullable()
      .openapi({ description: "All of it as a note, signed with the log's key; null where none of its keys is valid." }),
  })
  .openapi("RevocationReceipt");

export function revocationDocument(order: RevocationOrder, nowMs: number): RevocationDocument {
  const { id, scope, reason, by, issuedAtMs, expiresAtMs, restored } = order;
  return {
    id,
    state: restored !== undefined ? "restored" : isInForce(order, nowMs) ? "in_force" : "expired",
    ...(Object.fromEntries(scopeMembers.map((member) => [member, scope[member] ?? null])) as Scope),
    reason,
    by,
    issuedAt: rfc3339(issuedAtMs),
    expiresAt: expiresAtMs === undefined ? null : rfc3339(expiresAtMs),
    restoredAt: restored === undefined ? null : rfc3339(restored.atMs),
    restoredBy: restored?.by ?? null,
  };
}

export function revocationStateDocument(state: RevocationState, nowMs: number): RevocationStateDocument {
  const { order, acknowledgements, missing, complete } = state;
  // Whoever started later knew it before it admitted anything.
  const meant = acknowledgements.filter(({ replica }) => replica.startedAtMs <= order.issuedAtMs);
  const lastMs = Math.max(...meant.map(({ learnedAtMs, lastByteAtMs }) => lastByteAtMs ?? learnedAtMs));
  return {
    ...revocationDocument(order, nowMs),
    complete,
    tookMs: meant.length === 0 ? null : Math.max(0, lastMs - order.issuedAtMs),
    acknowledgements: acknowledgements.map(acknowledgementDocument),
    missing: missing.map((replica) => ({ replica: replica.id, name: replica.name })),
  };
}

function acknowledgementDocument(acknowledgement: Acknowledgement): AcknowledgementDocument {
  const { replica, learnedAtMs, learnedBy, cut, ended, lastByteAtMs } = acknowledgement;
  return {
    replica: replica.id,
    name: replica.name,
    learnedAt: rfc3339(learnedAtMs),
    learnedBy,
    cut,
    ended,
    lastByteAt: lastByteAtMs === undefined ? null : rfc3339(lastByteAtMs),
  };
}

export function rfc3339(atMs: number): string {
  return new Date(atMs).toISOString();
}
