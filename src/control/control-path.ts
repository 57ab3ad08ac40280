/** Where the operators' API stands. In a file of its own, so that a client need not load what serves it. */
export const controlPath = "/control/v1";
