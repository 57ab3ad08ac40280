import type { Sha256 } from "../clock.ts";
import type { Tenant } from "./tenant.ts";

const known = new WeakMap<Tenant, Uint8Array>();

/**
 * What a tenant's requests and answers are digested with, so that nobody without the key can find a text by trying texts,
 * nor see that two tenants sent the same. Made of the tenant's secret, which it does not give away. `undefined` for tenants
 * from before there was one: what anybody could compute would be no keyed digest.
 */
export function digestKey(tenant: Tenant, sha256: Sha256): Uint8Array | undefined {
  if (tenant.endUserSecret === undefined) return undefined;
  let key = known.get(tenant);
  if (key === undefined) {
    key = sha256(`receipt digests\n${tenant.id}\n${tenant.endUserSecret}`);
    known.set(tenant, key);
  }
  return key;
}
