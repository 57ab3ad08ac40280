import { required } from "./command.ts";
import type { Argument, Input } from "./command.ts";

export const tenantArgument: Argument = { name: "TENANT", help: "the tenant's id" };

export function tenantPath(input: Input): string {
  return `/tenants/${encodeURIComponent(required(input, "TENANT"))}`;
}
