import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { Unavailable } from "../proxy.ts";

/** What the bench's tenants call and where they are from. */
export interface BenchModel {
  readonly id: string;
  readonly tier: string;
}

export const tenantCountry = "SG";

const shipped = new URL("../../regions/", import.meta.url).pathname;
const deploymentsARegion = 10;
/** Countries that the shipped policy lets a tenant from Singapore use. */
const countries = ["JP", "SE", "KR", "AU", "FR", "DE", "CH", "NO", "CA", "US"];

/**
 * A regions folder with the shipped models and the shipped policy, so that its rules are all evaluated, and with
 * `deployments` deployments of one model, every one of them permitted and every one of them the bench's upstream: the
 * hardest case, because each is a candidate of each request.
 */
export function writeRegions(directory: string, upstreamOrigin: string, deployments: number): BenchModel {
  mkdirSync(directory, { recursive: true });
  for (const file of ["models.toml", "policy.toml"]) {
    if (!existsSync(join(shipped, file))) throw new Unavailable(`regions/${file} is missing`);
    copyFileSync(join(shipped, file), join(directory, file));
  }
  const model = chatModel(readFileSync(join(shipped, "models.toml"), "utf8"));
  const regions = Math.min(deployments, Math.max(5, Math.ceil(deployments / deploymentsARegion)));
  for (let region = 0; region < regions; region += 1) {
    const count = Math.floor(deployments / regions) + (region < deployments % regions ? 1 : 0);
    writeFileSync(join(directory, `bench-${region}.toml`), regionFile(region, count, upstreamOrigin, model));
  }
  return model;
}

/** The first model of OpenAI's that chats: its wire is what the upstream speaks. */
function chatModel(text: string): BenchModel {
  const { models } = parse(text) as {
    models?: readonly { id: string; tier: string; maker: string; surfaces: readonly string[] }[];
  };
  const found = models?.find(({ maker, surfaces }) => maker === "openai" && surfaces.includes("chat.completions"));
  if (found === undefined) throw new Unavailable("regions/models.toml has no chat model of the maker openai");
  return found;
}

function regionFile(region: number, deployments: number, upstreamOrigin: string, model: BenchModel): string {
  const country = countries[region % countries.length] ?? "JP";
  const head = [
    `id = "bench-${region}"`,
    `provider = "bench"`,
    `wire = "openai"`,
    `endpoint = "${upstreamOrigin}"`,
    `credential = { env = "BENCH_UPSTREAM_KEY" }`,
    `country = "${country}"`,
    `display_name = "Bench"`,
    `coordinates = { latitude = ${(region % 60) + 0.5}, longitude = ${(region % 170) + 0.5} }`,
  ];
  const entries = Array.from({ length: deployments }, (_, index) =>
    [
      "",
      "[[deployments]]",
      `model = "${model.id}"`,
      `name = "bench-${index}"`,
      `upstream_name = "bench-${index}"`,
      `sku = "Dedicated"`,
      `served_as = ["bench-model", "drill"]`,
      `countries = ["${country}"]`,
    ].join("\n"),
  );
  return `${[...head, ...entries].join("\n")}\n`;
}
