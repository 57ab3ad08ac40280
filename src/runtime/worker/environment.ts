import type { DirectoryObject } from "./directory-object.ts";
import type { ShardObject } from "./shard-object.ts";
import type { TenantObject } from "./tenant-object.ts";

/** What `wrangler.toml` binds. Settings and secrets are text beside these (`variables.ts`). */
export interface Bindings {
  /** One object per tenant, by the tenant's id. */
  readonly TENANTS: DurableObjectNamespace<TenantObject>;
  /** A handful per tenant, for those whose limits allow slices. */
  readonly SHARDS: DurableObjectNamespace<ShardObject>;
  /** One object in all, for what operators list across tenants. */
  readonly DIRECTORY: DurableObjectNamespace<DirectoryObject>;
  /** What operators ask across tenants. */
  readonly VIEW: D1Database;
  /** Bound in demonstration mode alone: answers in place of every region. */
  readonly SIMULATOR?: Fetcher;
}

declare global {
  namespace Cloudflare {
    // oxlint-disable-next-line no-empty-object-type -- this is how `cloudflare:workers` learns the type of `env`
    interface Env extends Bindings {}
  }
}
