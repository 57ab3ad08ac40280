import type { Sha256 } from "../clock.ts";
import { hex } from "./key.ts";
import type { Tenant } from "./tenant.ts";

/** 80 bits: enough that two users of one tenant never share a counter, and short in a span. */
const hashLength = 20;

export const endUserPattern: RegExp = /^u_[0-9a-f]{20}$/;

/**
 * An end user's name as it may be kept: names are often e-mail addresses, and no counter, receipt or span holds one. The
 * hash differs from tenant to tenant, so that nobody can follow a person from one to another.
 */
export function endUserHash(tenant: Tenant, endUser: string, sha256: Sha256): string {
  // No part holds a line break before the name begins, so no two tenants and names come to one text.
  return `u_${hex(sha256(`end user\n${tenant.id}\n${tenant.endUserSecret ?? ""}\n${endUser}`)).slice(0, hashLength)}`;
}
