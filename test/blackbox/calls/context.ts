import type { GatewayUnderTest } from "../harness/gateway-under-test.ts";
import type { Operator, TestTenant } from "../harness/operator.ts";

/** What a group of tests works on. Read inside tests alone: it is made in a `beforeAll`. */
export interface Context {
  readonly gateway: GatewayUnderTest;
  readonly operator: Operator;
  /** A tenant of Singapore that may use every model. Nothing about it may be changed. */
  readonly tenant: TestTenant;
}
