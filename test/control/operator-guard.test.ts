import { describe, expect, test } from "vitest";
import { createControl } from "../../src/control/create-control.ts";
import { control, operatorKey } from "./control-fixture.ts";

const inspectLimits = async (): Promise<[]> => [];

/** Every route that is served, as a method and a path that it answers to. */
const routes = control({ inspectLimits })
  .app.routes.filter((route) => route.method !== "ALL")
  .map((route) => ({ method: route.method, path: route.path.replaceAll(/:[^/]+/g, "acme") }));

const unique = [...new Map(routes.map((route) => [`${route.method} ${route.path}`, route])).values()];

describe("the operator key", () => {
  test("guards as many routes as the API is known to have", () => {
    expect(unique.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      "DELETE /control/v1/tenants/acme/keys/acme",
      "GET /control/v1/audit",
      "GET /control/v1/openapi.json",
      "GET /control/v1/policy",
      "GET /control/v1/policy/shadow",
      "GET /control/v1/prices",
      "GET /control/v1/revocations",
      "GET /control/v1/revocations/acme",
      "GET /control/v1/tenants",
      "GET /control/v1/tenants/acme",
      "GET /control/v1/tenants/acme/audit",
      "GET /control/v1/tenants/acme/digest-keys",
      "GET /control/v1/tenants/acme/explain",
      "GET /control/v1/tenants/acme/keys",
      "GET /control/v1/tenants/acme/limits",
      "GET /control/v1/tenants/acme/limits/use",
      "PATCH /control/v1/tenants/acme",
      "POST /control/v1/revocations",
      "POST /control/v1/revocations/acme/receipt",
      "POST /control/v1/revocations/acme/restore",
      "POST /control/v1/tenants",
      "POST /control/v1/tenants/acme/digest-keys",
      "POST /control/v1/tenants/acme/facts",
      "POST /control/v1/tenants/acme/keys",
      "POST /control/v1/tenants/acme/verification",
      "PUT /control/v1/tenants/acme/limits",
      "PUT /control/v1/tenants/acme/ownership",
    ]);
  });

  test.each([...unique, { method: "GET", path: "/control/v1/nowhere" }, { method: "GET", path: "/" }])(
    "is demanded by $method $path, and nothing is read or written without it",
    async ({ method, path }) => {
      const { app, directory } = control({ inspectLimits });
      const attempts: Record<string, string>[] = [
        {},
        { authorization: "" },
        { authorization: "Bearer" },
        { authorization: "Bearer " },
        { authorization: operatorKey },
        { authorization: `Basic ${operatorKey}` },
        { authorization: `Bearer ${operatorKey}x` },
        { authorization: `Bearer ${operatorKey.slice(0, -1)}` },
        { authorization: `Bearer ${operatorKey.toUpperCase()}` },
        { "x-api-key": operatorKey },
      ];
      for (const headers of attempts) {
        const response = await app.request(path, { method, headers: { "content-type": "application/json", ...headers } });
        expect([headers, response.status]).toEqual([headers, 401]);
        expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="strait control"/);
        expect(response.headers.get("content-type")).toBe("application/problem+json");
      }
      expect(directory.saves).toBe(0);
    },
  );

  test("opens the same routes, so that the walk above would notice a guard that shuts always", async () => {
    const { app } = control({ inspectLimits });
    for (const { method, path } of unique) {
      const response = await app.request(path, { method, headers: { authorization: `Bearer ${operatorKey}` } });
      expect([method, path, response.status === 401]).toEqual([method, path, false]);
    }
  });

  test("is asked for before the body is looked at", async () => {
    const { app } = control();
    const body = "x".repeat(300 * 1024);
    const response = await app.request("/control/v1/tenants", {
      method: "POST",
      body,
      headers: { "content-length": `${body.length}` },
    });
    expect(response.status).toBe(401);
  });

  test.each(["", "abc", "A".repeat(64)])(
    "must have a digest that can be one: %j is refused at the start",
    (operatorKeyDigest) => {
      expect(() => createControl({ ...control().ports, operatorKeyDigest })).toThrow(TypeError);
    },
  );
});
