import { z } from "@hono/zod-openapi";
import type { Parameter, ParameterProblem, PeriodDefaults } from "../ledger/usage-period.ts";
import { findTenant } from "./change.ts";
import type { ChangePorts } from "./change.ts";
import { done, type Outcome } from "./outcome.ts";
import type { HttpRefusal } from "./problem.ts";

type Text = z.ZodOptional<z.ZodString>;

/** A parameter that is only described here: `ledger/usage-period.ts` says what is wrong with it, for tenants the same. */
export function described(description: string): Text {
  return z.string().max(200).optional().openapi({ description });
}

export const periodQuery: { readonly from: Text; readonly to: Text; readonly time_zone: Text; readonly tenant: Text } = {
  from: described("A day or a time; without it, the first of the month in which `to` lies."),
  to: described("A day or a time, no longer part of the period; without it, now."),
  time_zone: described("IANA name, in which days begin; without it, the tenant's where one is named, else UTC."),
  tenant: described("Only this tenant."),
};

/** A tenant that is named must be there, and its days are its own. */
export async function defaultsFor(ports: ChangePorts, tenantId: string | undefined): Promise<Outcome<PeriodDefaults>> {
  const nowMs = ports.clock.nowMs();
  if (tenantId === undefined) return done({ nowMs, timeZone: undefined });
  const found = await findTenant(ports, tenantId);
  return found.ok ? done({ nowMs, timeZone: found.value.tenant.timeZone }) : found;
}

export function parameterOf(query: Readonly<Record<string, string | undefined>>): Parameter {
  return (name) => (query[name] === "" ? undefined : query[name]);
}

export function malformed(problems: readonly ParameterProblem[]): HttpRefusal {
  return {
    kind: "malformed_request",
    problems: problems.map(({ parameter, expected }) => ({ parameter, detail: `Write ${expected}.` })),
  };
}
