import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Proxy } from "../proxy.ts";

/** The gateway of another checkout, set up by that checkout's own bench: what it reads and how it is started may differ. */
export async function besideOf(checkout: string): Promise<Proxy> {
  const { href } = pathToFileURL(resolve(checkout, "bench/proxies/strait.ts"));
  const { strait } = (await import(href)) as { readonly strait: Proxy };
  return { ...strait, name: "beside" };
}
