import { readLogKeys, type LogKeys } from "../../transparency/log-keys.ts";
import { hashes } from "./hashes.ts";
import type { Variables } from "./variables.ts";

/** Known to everybody, so that `wrangler dev` needs no set-up: what it signed proves nothing, and it signs in demonstration mode alone. */
const demoLogKey = JSON.stringify({
  kty: "OKP",
  crv: "Ed25519",
  x: "1rF2yaeXFTM_E4MAzSTowIh4EC8qxEJXeEauoe0I9Hk",
  d: "8-kFKixfanMzx_se6JzANWSGZjYoZvFay4FABnAwK9c",
});

/** The keys in `STRAIT_LOG_KEY`, as JSON; `undefined` where it is not set, or unusable, which the configuration's check says. */
export async function workerLogKeys(variables: Variables): Promise<LogKeys | undefined> {
  const text = variables["STRAIT_LOG_KEY"] || (variables["STRAIT_DEMO"] === "true" ? demoLogKey : undefined);
  if (text === undefined) return undefined;
  const read = await readLogKeys(text, hashes.sha256Bytes);
  return read.ok ? read.keys : undefined;
}
