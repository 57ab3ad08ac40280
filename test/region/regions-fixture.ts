import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Catalogue } from "../../src/region/catalogue.ts";
import type { Policy } from "../../src/region/policy.ts";
import { formatProblems } from "../../src/region/problem.ts";
import { readCatalogue, type CatalogueFile } from "../../src/region/read-catalogue.ts";

export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

const folder = new URL("../../regions/", import.meta.url);

/** The files that the project ships. */
export function shippedFiles(): CatalogueFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".toml"));
  return names.map((name) => ({ path: `regions/${name}`, text: readFileSync(new URL(name, folder), "utf8") }));
}

/** Files that must hold. */
export function catalogueOf(files: readonly CatalogueFile[]): { readonly catalogue: Catalogue; readonly policy: Policy } {
  const read = readCatalogue(files, sha256);
  if (!read.ok) throw new Error(formatProblems(read.problems));
  return read;
}

export const policyText = `version = "1"
home = ["group:CN"]
[groups.CN]
countries = ["CN", "HK", "MO"]
jurisdiction = true
[groups.zone]
countries = ["DE", "FR", "SE"]
[[rules]]
id = "own"
kind = "own_jurisdiction"
because = "Not from your own jurisdiction."
`;

export const modelsText = `[[models]]
id = "gpt-a"
aliases = ["gpt-a-2025"]
display_name = "GPT A"
maker = "openai"
tier = "standard"
created_at = 2025-01-01T00:00:00Z
context_tokens = 1000
max_output_tokens = 100
surfaces = ["chat.completions", "responses"]
weights_not_in = ["group:CN"]
[models.price]
input_micro_usd_per_million = 1_000_001
output_micro_usd_per_million = 3

[[models]]
id = "claude-a"
display_name = "Claude A"
maker = "anthropic"
tier = "frontier"
created_at = 2025-01-01T00:00:00Z
context_tokens = 1000
max_output_tokens = 100
surfaces = ["messages", "count_tokens"]
weights_not_in = []
price = { input_micro_usd_per_million = 4, cached_input_micro_usd_per_million = 1, output_micro_usd_per_million = 8 }
`;

/** A region's file; `head` and `deployments` replace lines that begin with the same key, or are added. */
export function regionText(id: string, head: readonly string[] = [], deployments: string = deploymentText()): string {
  const lines = [
    `id = "${id}"`,
    'provider = "azure"',
    'wire = "azure"',
    `endpoint = "https://${id}.example.com"`,
    'credential = { env = "KEY" }',
    'display_name = "Somewhere"',
    'country = "JP"',
    'networks = ["20.0.0.0/8"]',
    "coordinates = { latitude = 1, longitude = 2.5 }",
  ];
  const keyOf = (line: string): string => line.split(" ")[0] ?? "";
  const kept = lines.map((line) => head.find((other) => keyOf(other) === keyOf(line)) ?? line);
  const added = head.filter((line) => !lines.some((other) => keyOf(other) === keyOf(line)));
  return `${[...kept, ...added].join("\n")}\n${deployments}`;
}

export function deploymentText(...lines: readonly string[]): string {
  const given = lines.length > 0 ? lines : ['model = "gpt-a"', 'sku = "Standard"', 'countries = ["JP"]'];
  return `[[deployments]]\n${given.join("\n")}\n`;
}

export function files(
  regions: Readonly<Record<string, string>> = { tokyo: regionText("tokyo") },
  policy: string = policyText,
  models: string = modelsText,
): CatalogueFile[] {
  return [
    { path: "regions/models.toml", text: models },
    { path: "regions/policy.toml", text: policy },
    ...Object.entries(regions).map(([id, text]) => ({ path: `regions/${id}.toml`, text })),
  ];
}

/** The problems of files, as `--check` prints them. */
export function problemsOf(list: readonly CatalogueFile[]): string[] {
  const read = readCatalogue(list, sha256);
  return read.ok ? [] : formatProblems(read.problems).split("\n");
}
