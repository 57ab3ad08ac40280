/** Lets work go on after the answer: `waitUntil` of the request that is running. */
export type Later = (work: Promise<unknown>) => void;
