import { expect, test } from "vitest";
import { bundleLoading } from "./bundle-loading.ts";
import { control } from "./control-fixture.ts";

interface Operation {
  summary?: string;
  responses: Record<string, unknown>;
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> };
  parameters?: { name: string; in: string; required?: boolean }[];
}

interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, { properties?: Record<string, unknown>; required?: string[]; additionalProperties?: boolean }>;
  };
  security: unknown;
}

/** With the routes that not every gateway serves. */
const everything = {
  inspectLimits: async () => [],
  applyRetention: async () => ({ counts: [], failures: [] }),
  writers: { list: async () => [], dismiss: async () => false },
  loading: bundleLoading().loading,
  placeAlarm: { list: async () => [] },
};

async function read(): Promise<OpenApi> {
  const { text } = await control(everything).call("GET", "/openapi.json");
  return JSON.parse(text) as OpenApi;
}

test("the OpenAPI document lists every route that is served, and no other", async () => {
  const { app } = control(everything);
  const served = new Set(
    app.routes
      .filter((route) => route.method !== "ALL")
      .map((route) => `${route.method} ${route.path.replaceAll(/:([^/]+)/g, "{$1}")}`),
  );
  const { paths } = await read();
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual([...served].sort());
  expect(described).toEqual(
    expect.arrayContaining([
      "POST /control/v1/tenants",
      "POST /control/v1/writers/{writerId}/dismiss",
      "DELETE /control/v1/policy/bundles/{digest}",
    ]),
  );
});

test("it is OpenAPI 3.1, asks for the operator key everywhere, and describes each route's refusals", async () => {
  const document = await read();
  expect(document.openapi).toBe("3.1.0");
  expect(document.security).toEqual([{ operatorKey: [] }]);
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      expect(operation.summary, `${method} ${path}`).toBeTruthy();
      expect(operation.responses["default"]).toMatchObject({ content: { "application/problem+json": {} } });
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
      expect(
        operation.parameters?.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name) ?? [],
      ).toEqual(inPath);
    }
  }
});

test("its schemas come from those that validate: strict where they take, complete where they give", async () => {
  const { components, paths } = await read();
  expect(components.schemas["NewTenant"]).toMatchObject({ required: ["name"], additionalProperties: false });
  expect(components.schemas["IssuedKey"]?.required).toContain("key");
  expect(Object.keys(components.schemas["Key"]?.properties ?? {})).not.toContain("key");
  for (const name of ["Key", "Keys", "IssuedKey"]) expect(JSON.stringify(components.schemas[name])).not.toContain("digest");
  const tenants = paths["/control/v1/tenants"];
  expect(tenants?.["post"]?.requestBody?.content["application/json"]?.schema.$ref).toBe("#/components/schemas/NewTenant");
  expect(tenants?.["get"]?.parameters).toMatchObject([
    { name: "cursor", in: "query" },
    { name: "count", in: "query", schema: { type: "integer", minimum: 1, maximum: 500 } },
  ]);
});
