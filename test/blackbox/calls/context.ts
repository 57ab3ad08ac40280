import type { GatewayUnderTest } from "../harness/gateway-under-test.ts";
import type { Operator, TestTenant } from "../harness/operator.ts";

/** What a group of tests works on. Read inside tests alone: it is made in a `beforeAll`. */
export interface Context {
  readonly gateway: GatewayUnderTest;
  readonly operator: Operator;
  /** A tenant of Singapore that may use every model. Nothing about it may be changed. */
  readonly tenant: TestTenant;
}

/** Where the runtimes differ in what they can promise. */
export interface Guarantees {
  /**
   * When a client that leaves before the head of its answer is noticed. Workerd looks at a connection again only when it
   * writes to it: a client's orderly goodbye before that goes unseen, and `wrangler dev` hands on no sign of it at all.
   */
  readonly noticesEarlyHangUp: "at once" | "once the head is written";
  /** By what an upstream on this machine is found to be where it is declared: `fetch` in workerd shows no address. */
  readonly addressCheck: "local" | "not-visible";
}
