import type { Cancel, Clock } from "./clock.ts";
import type { OpenExchange } from "./open-exchange.ts";
import type { Directory } from "./tenant/directory.ts";
import { callerRevoked } from "./tenant/caller-revoked.ts";

/** Revoking a key must stop what it has open within a second, the directory's own way included. */
export const callersEveryMs = 250;

/**
 * Looks again and again whether those who have something open may still have it. The directory answers from memory while
 * it is told of changes, so that this costs a look-up for each tenant that has a request open.
 */
export function watchCallers(open: Iterable<OpenExchange>, directory: Directory, clock: Clock): Cancel {
  let cancel: Cancel;
  const look = (): void => {
    cancel = clock.after(callersEveryMs, look);
    for (const [tenantId, exchanges] of byTenant(open)) void recheck(tenantId, exchanges, directory);
  };
  cancel = clock.after(callersEveryMs, look);
  return () => cancel();
}

/** Cuts those of one tenant's exchanges whose caller may no longer have them. */
export async function recheck(
  tenantId: string,
  exchanges: readonly OpenExchange[],
  directory: Pick<Directory, "find">,
): Promise<void> {
  let entry;
  try {
    entry = await directory.find(tenantId);
  } catch {
    // A directory that cannot be asked lets nobody new in; what was let in while it could goes on.
    return;
  }
  for (const exchange of exchanges) {
    const what = callerRevoked(exchange.caller, entry);
    if (what !== undefined) exchange.revoke(what, "revoked");
  }
}

function byTenant(open: Iterable<OpenExchange>): ReadonlyMap<string, readonly OpenExchange[]> {
  const tenants = new Map<string, OpenExchange[]>();
  for (const exchange of open) {
    const { id } = exchange.caller.tenant;
    const others = tenants.get(id);
    if (others === undefined) tenants.set(id, [exchange]);
    else others.push(exchange);
  }
  return tenants;
}
