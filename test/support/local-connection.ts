import type { ConnectionRules } from "../../src/region/connection-rules.ts";

/** What an upstream on this machine declares of its connection. */
export const localConnection: ConnectionRules = { local: true, networks: [], addressCountry: undefined, keyPins: [] };
