/** How much of everything one run does. All of it is bounded in number and in time. */
export interface Settings {
  readonly rounds: number;
  /** Requests to each proxy before anything counts: cold code costs about twice as much. */
  readonly warmUpRequests: number;
  readonly warmUpMs: number;
  readonly connections: number;
  readonly closedMs: number;
  readonly directMs: number;
  readonly proxiedMs: number;
  readonly firstByteStreams: number;
  readonly eventStreams: number;
  readonly eventsPerStream: number;
  readonly eventIntervalMs: number;
  readonly idleStreams: number;
  /** Opened before those that are counted. */
  readonly ballastStreams: number;
  /** Rounds of the memory measure, which starts new processes each time. */
  readonly memoryRounds: number;
  readonly manyTenants: number;
  readonly manyDeployments: number;
  /** Whose counters lie in a store. */
  readonly fewTenants: number;
  readonly manyTenantsInStore: number;
  /** From the start of the run; a measurement that would begin later does not. */
  readonly deadlineMs: number;
}

export const full: Settings = {
  rounds: 5,
  warmUpRequests: 20_000,
  warmUpMs: 40_000,
  connections: 32,
  closedMs: 2000,
  directMs: 1000,
  proxiedMs: 1500,
  firstByteStreams: 100,
  eventStreams: 100,
  eventsPerStream: 200,
  eventIntervalMs: 10,
  idleStreams: 2000,
  ballastStreams: 500,
  memoryRounds: 5,
  manyTenants: 100_000,
  manyDeployments: 500,
  fewTenants: 1_000,
  manyTenantsInStore: 1_000_000,
  deadlineMs: 540_000,
};

/** For a first look: fewer rounds of shorter windows, so its figures are rough. */
export const quick: Settings = {
  ...full,
  rounds: 2,
  warmUpRequests: 4000,
  warmUpMs: 3000,
  closedMs: 600,
  directMs: 300,
  proxiedMs: 600,
  firstByteStreams: 30,
  eventStreams: 50,
  eventsPerStream: 100,
  idleStreams: 500,
  memoryRounds: 1,
  deadlineMs: 110_000,
};
