import type { Credentials } from "../../upstream/address.ts";
import type { Variables } from "./variables.ts";

/** Credentials are the Worker's secrets. A Worker has no files: a region whose credential is one is out of reach. */
export function secretCredentials(variables: Variables): Credentials {
  return ({ credential }) => ("env" in credential ? variables[credential.env] || undefined : undefined);
}
