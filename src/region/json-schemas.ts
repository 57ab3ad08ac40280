import { z } from "zod";
import { modelsFile } from "./models-file.ts";
import { policyFile } from "./policy-file.ts";
import { regionFile } from "./region-file.ts";

/** What `regions/schema/` holds for editors: file name to text, generated from what the loader itself checks by. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  const files: readonly (readonly [string, z.ZodType])[] = [
    ["region.schema.json", regionFile],
    ["models.schema.json", modelsFile],
    ["policy.schema.json", policyFile],
  ];
  return new Map(files.map(([file, schema]) => [file, `${JSON.stringify(jsonSchemaOf(schema), undefined, 2)}\n`]));
}

function jsonSchemaOf(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, {
    io: "input",
    target: "draft-7", // what TOML editors read
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time" });
    },
  });
}
