import { TenantObject } from "../../src/runtime/worker/main.ts";

export { default, DirectoryObject, SimulatedRegion, TenantObject } from "../../src/runtime/worker/main.ts";

/**
 * A tenant's object whose alarm does nothing. The contract suites set the time of the isolate, which workerd's own
 * alarms do not follow, and take back expired reservations themselves.
 */
export class UnsweptTenantObject extends TenantObject {
  override alarm(): Promise<void> {
    return Promise.resolve();
  }

  /** What the alarm would do beside. */
  handOverNow(): Promise<boolean> {
    return this.handOver();
  }
}

declare global {
  namespace Cloudflare {
    interface Env {
      readonly UNSWEPT: DurableObjectNamespace<UnsweptTenantObject>;
    }
  }
}
