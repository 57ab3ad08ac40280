import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonSchemas } from "../../src/region/json-schemas.ts";
import { shippedFiles } from "./regions-fixture.ts";

const folder = new URL("../../regions/schema/", import.meta.url);

describe("the JSON Schemas for editors", () => {
  it("are what the loader checks by; `node src/runtime/node/write-schemas.ts` writes them anew", () => {
    const written = new Map(readdirSync(folder).map((file) => [file, readFileSync(new URL(file, folder), "utf8")]));
    expect(written).toEqual(new Map(jsonSchemas()));
  });

  it("are named in the first line of every file that they are for", () => {
    const files = shippedFiles();
    expect(files.length).toBeGreaterThan(20);
    for (const { path, text } of files) {
      const kind = /\/(models|policy)\.toml$/.exec(path)?.[1] ?? "region";
      expect([path, text.split("\n")[0]]).toEqual([path, `#:schema ./schema/${kind}.schema.json`]);
    }
  });

  it("let no unknown key through", () => {
    const region = JSON.parse(jsonSchemas().get("region.schema.json") ?? "") as {
      additionalProperties: unknown;
      properties: { deployments: { items: { additionalProperties: unknown } } };
    };
    expect(region.additionalProperties).toBe(false);
    expect(region.properties.deployments.items.additionalProperties).toBe(false);
  });
});
