import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modelsText, policyText, regionText } from "../../region/regions-fixture.ts";
import type { Scenario } from "./scenarios.ts";

export const domain = "drill.test";

/** A region for each scenario, all of one model. */
export function writeRegions(folder: string, scenarios: readonly Scenario[], port: number): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "models.toml"), modelsText);
  writeFileSync(join(folder, "policy.toml"), policyText);
  for (const { name, country, head } of scenarios) {
    const lines = [`endpoint = "https://${name}.${domain}:${port}"`, `country = "${country}"`, ...head];
    const deployment = `[[deployments]]\nmodel = "gpt-a"\nsku = "Standard"\ncountries = ["${country}"]\n`;
    const text = regionText(name, lines, deployment);
    writeFileSync(
      join(folder, `${name}.toml`),
      head.some((line) => line.startsWith("networks")) ? text : text.replace(/^networks.*\n/m, ""),
    );
  }
  return folder;
}

/** Says of all of loopback and of private networks that they are in Australia. */
export function writeWrongTable(folder: string): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "geo-whois-asn-country-ipv4-num.csv"), "16777216,4278190079,AU\n");
  writeFileSync(join(folder, "geo-whois-asn-country-ipv6.csv"), "2001:200::,2001:201::,AU\n");
  const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ version: `1.0.${today}` }));
  return folder;
}
