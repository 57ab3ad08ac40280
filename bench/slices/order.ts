/** What a gateway's process is told to do. */
export interface GatewayOrder {
  readonly address: string;
  readonly folder: string;
  /** Whether its limits allow slices. */
  readonly slices: boolean;
}

/** A load of one tenant, with limits of its own. */
export interface GatewayLoad {
  readonly tenantId: string;
  readonly requestsPerSecond: number;
  readonly forMs: number;
  /** Of tokens a minute; the burst is two seconds of it. */
  readonly tokensPerMinute: number;
}

export interface GatewayCost {
  readonly admitted: number;
  readonly refused: number;
  /** Requests that the store did not answer for in time, at their beginning or end. */
  readonly unanswered: number;
  /** Calls that went to the store. */
  readonly calls: number;
  readonly cpuMs: number;
}
