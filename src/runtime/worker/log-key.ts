import { readLogKeys, type KeysRead, type LogKeys } from "../../transparency/log-keys.ts";
import { hashes } from "./hashes.ts";
import type { Variables } from "./variables.ts";

/** Known to everybody, so that `wrangler dev` needs no set-up: what it signed proves nothing, and it signs in demonstration mode alone. */
const demoLogKey = JSON.stringify({
  kty: "OKP",
  crv: "Ed25519",
  x: "1rF2yaeXFTM_E4MAzSTowIh4EC8qxEJXeEauoe0I9Hk",
  d: "8-kFKixfanMzx_se6JzANWSGZjYoZvFay4FABnAwK9c",
});

/** The keys in `STRAIT_LOG_KEY`, as JSON. The problem says what an operator has to do, and shows no part of a key. */
export async function readWorkerLogKeys(variables: Variables): Promise<KeysRead<LogKeys>> {
  const text = variables["STRAIT_LOG_KEY"] || (variables["STRAIT_DEMO"] === "true" ? demoLogKey : undefined);
  if (text === undefined) {
    const problem =
      "STRAIT_LOG_KEY must be set: without a key nothing signs the logs of receipts. `npx strait log rotate log-key.json` makes one, and `npx wrangler secret put STRAIT_LOG_KEY --env production < log-key.json` gives it to the Worker";
    return { ok: false, problem };
  }
  const read = await readLogKeys(text, hashes.sha256Bytes);
  return read.ok ? read : { ok: false, problem: `STRAIT_LOG_KEY cannot be used: ${read.problem}` };
}
