import { DirectoryObject, ShardObject, TenantObject } from "../../src/runtime/worker/main.ts";
import type { ExpiredReservation } from "../../src/quota/store.ts";
import type { LogStore } from "../../src/transparency/log-store.ts";

export { default, DirectoryObject, ShardObject, SimulatedRegion, TenantObject } from "../../src/runtime/worker/main.ts";

/**
 * A tenant's object whose alarm does nothing. The contract suites set the time of the isolate, which workerd's own
 * alarms do not follow, and take back expired reservations themselves.
 */
export class UnsweptTenantObject extends TenantObject {
  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, { ...bindings, DIRECTORY: bindings.UNSCHEDULED, SHARDS: bindings.UNSWEPT_SHARDS });
  }

  override alarm(): Promise<void> {
    return Promise.resolve();
  }

  /** What the alarm would do beside. */
  handOverNow(): Promise<boolean> {
    return this.handOver();
  }

  /** The log has the tree for itself, save in its contract suite. */
  async callTree<Method extends keyof LogStore>(
    method: Method,
    parameters: Parameters<LogStore[Method]>,
  ): Promise<Awaited<ReturnType<LogStore[Method]>>> {
    const call = this.tree[method] as (...passed: Parameters<LogStore[Method]>) => ReturnType<LogStore[Method]>;
    return await call(...parameters);
  }
}

/** A shard of such a tenant's. */
export class UnsweptShardObject extends ShardObject {
  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, { ...bindings, TENANTS: bindings.UNSWEPT });
  }

  override alarm(): Promise<void> {
    return Promise.resolve();
  }

  async expireNow(count: number): Promise<readonly ExpiredReservation[]> {
    return this.quota.expire(count);
  }

  async recordedNow(tenantId: string, ids: readonly string[]): Promise<void> {
    return this.quota.recorded(tenantId, ids);
  }
}

/** The directory of such tenants. */
export class UnscheduledDirectoryObject extends DirectoryObject {
  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, { ...bindings, TENANTS: bindings.UNSWEPT });
  }

  override alarm(): Promise<void> {
    return Promise.resolve();
  }
}

declare global {
  namespace Cloudflare {
    interface Env {
      readonly UNSWEPT_SHARDS: DurableObjectNamespace<UnsweptShardObject>;
      readonly UNSWEPT: DurableObjectNamespace<UnsweptTenantObject>;
      readonly UNSCHEDULED: DurableObjectNamespace<UnscheduledDirectoryObject>;
    }
  }
}
