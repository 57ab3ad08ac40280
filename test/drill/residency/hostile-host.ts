/**
 * Loaded into a gateway before anything of its own: names that resolve to whatever the drill wants next, and a clock that
 * jumps. All of it stands in one file, named by DRILL_WORLD, which is read again at every look.
 */
import promises from "node:dns/promises";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { HostileWorld } from "./hostile-world.ts";

const file = process.env["DRILL_WORLD"] ?? "";
const looks = new Map<string, number>();
const trueNow = Date.now.bind(Date);
let offsetMs = 0;

function world(): HostileWorld {
  return JSON.parse(readFileSync(file, "utf8")) as HostileWorld;
}

Object.assign(promises, {
  lookup: async (hostname: string): Promise<readonly { address: string; family: number }[]> => {
    const answers = world().names[hostname] ?? [];
    const look = looks.get(hostname) ?? 0;
    looks.set(hostname, look + 1);
    const addresses = answers[look % Math.max(1, answers.length)];
    if (addresses === undefined) throw Object.assign(new Error(`no such name ${hostname}`), { code: "ENOTFOUND" });
    return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  },
});
syncBuiltinESMExports();

Date.now = () => trueNow() + offsetMs;
setInterval(() => {
  offsetMs = world().clockOffsetMs;
}, 50).unref();
