import { expect, it } from "vitest";
import { environmentProxies } from "../../src/runtime/node/environment-proxies.ts";

it("finds every variable by which a request would leave through a proxy", () => {
  expect(environmentProxies({ PATH: "/bin", NO_PROXY: "*", https_proxy: "" })).toEqual([]);
  expect(
    environmentProxies({ HTTPS_PROXY: "http://proxy:3128", http_proxy: "x", ALL_PROXY: "x", NODE_USE_ENV_PROXY: "1" }),
  ).toEqual(["HTTPS_PROXY", "http_proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"]);
  expect(environmentProxies({ NODE_OPTIONS: "--enable-source-maps --use-env-proxy" })).toEqual(["NODE_OPTIONS"]);
});
