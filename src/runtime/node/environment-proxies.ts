import { setVariables } from "../read-settings.ts";

/** Read by Node, curl and their kin alike, in either case. */
const proxyVariable = /^(https?_proxy|all_proxy|node_use_env_proxy)$/i;

/**
 * The variables by which requests would leave through a proxy. The address that is connected to would then be the
 * proxy's and say nothing of the upstream's, so upstreams are never reached through one.
 */
export function environmentProxies(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const names = Object.keys(setVariables(environment)).filter((name) => proxyVariable.test(name));
  return /--use-env-proxy\b/.test(environment["NODE_OPTIONS"] ?? "") ? [...names, "NODE_OPTIONS"] : names;
}
