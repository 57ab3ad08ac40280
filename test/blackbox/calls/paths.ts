import { describe, expect, test } from "vitest";
import { routes, publicPaths, type Route } from "../../../src/routes.ts";
import type { Context } from "./context.ts";

/** A path that the route's pattern matches. */
function pathOf(route: Route): string {
  const path = route.path.replace(":deployment", "gpt-4.1").replace(":model", "gpt-4.1").replace(":id", "anything");
  return route.dialect === "azure" && !path.startsWith("/openai/v1/") ? `${path}?api-version=2025-04-01-preview` : path;
}

type Dialect = "openai" | "azure" | "anthropic";

/** The dialects that a route is spoken in, with the headers by which a client of each is known. */
function dialectsOf(route: Route): readonly (readonly [Dialect, Readonly<Record<string, string>>])[] {
  if (route.dialect !== "shared") return [[route.dialect, {}]];
  return [
    ["openai", {}],
    ["anthropic", { "anthropic-version": "2023-06-01" }],
  ];
}

const bodyOf: Readonly<Record<Dialect, unknown>> = {
  openai: { error: { message: expect.any(String), type: "invalid_request_error", param: null, code: null } },
  azure: { error: expect.objectContaining({ code: "401", message: expect.any(String) }) },
  anthropic: {
    type: "error",
    error: { type: "authentication_error", message: expect.any(String) },
    request_id: expect.any(String),
  },
};

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export function paths(context: () => Context): void {
  const call = (method: string, path: string, headers: Readonly<Record<string, string>>, body?: string) =>
    fetch(`${context().gateway.url}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body }),
    });
  const bodyFor = (method: string): string | undefined => (method === "GET" || method === "DELETE" ? undefined : "{}");

  describe("a key", () => {
    const guarded = routes.filter((route) => !publicPaths.has(route.path));

    test("is what all routes but the public ones demand", () => {
      expect(guarded.length).toBeGreaterThan(25);
      expect(routes.filter((route) => publicPaths.has(route.path)).map((route) => route.path)).toEqual([
        "/.well-known/strait/jwks.json",
        "/healthz",
      ]);
    });

    test.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))(
      "is demanded by %s, in the route's dialect",
      async (_name, route) => {
        for (const [dialect, headers] of dialectsOf(route)) {
          const response = await call(route.method, pathOf(route), headers, bodyFor(route.method));
          expect([response.status, await response.json()]).toEqual([401, bodyOf[dialect]]);
          const wrong = await call(
            route.method,
            pathOf(route),
            { ...headers, authorization: "Bearer sk-strait-nobody" },
            bodyFor(route.method),
          );
          expect([wrong.status, await wrong.text()]).toEqual([401, expect.stringContaining("not valid here")]);
        }
      },
    );

    test.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))("opens %s", async (_name, route) => {
      const { tenant } = context();
      const response = await call(route.method, pathOf(route), { authorization: `Bearer ${tenant.key}` }, bodyFor(route.method));
      await response.body?.cancel();
      // What it says of an empty body or an id that is none is another test's; here it counts that it was let in.
      expect([200, 400, 404]).toContain(response.status);
    });

    test("is not asked for by the public routes", async () => {
      const health = await call("GET", "/healthz", {});
      expect([health.status, await health.text()]).toEqual([200, "ok\n"]);
      const keys = await call("GET", "/.well-known/strait/jwks.json", {});
      expect([keys.status, await keys.json()]).toEqual([200, { keys: expect.any(Array) }]);
      expect(publicPaths.size).toBe(2);
    });
  });

  describe("the operator key", () => {
    test("is demanded by every route that the operators' API describes, and a tenant's key is none", async () => {
      const { operator, tenant } = context();
      const described = await operator.ask<Described>("GET", "/openapi.json");
      const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
        Object.keys(methods)
          .filter((method) => ["get", "put", "post", "patch", "delete"].includes(method))
          .map((method) => [method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, tenant.id)] as const),
      );
      expect(operations.length).toBeGreaterThanOrEqual(14);
      for (const [method, path] of [...operations, ["GET", "/control/v1/nowhere"], ["GET", "/control/v1"]] as const) {
        for (const headers of [
          {},
          { authorization: `Bearer ${tenant.key}` },
          { "x-api-key": context().gateway.operatorKey },
        ] as Record<string, string>[]) {
          const response = await call(method, path, headers, bodyFor(method));
          expect([method, path, response.status, response.headers.get("content-type")]).toEqual([
            method,
            path,
            401,
            "application/problem+json",
          ]);
          await response.body?.cancel();
        }
      }
    });

    test("opens no route of the data plane", async () => {
      const response = await call("GET", "/v1/models", { authorization: `Bearer ${context().gateway.operatorKey}` });
      expect(response.status).toBe(401);
      await response.body?.cancel();
    });
  });

  describe("a path", () => {
    test.each([
      [
        "/v1/nothing",
        {},
        { error: { message: expect.any(String), type: "invalid_request_error", param: null, code: "unknown_url" } },
      ],
      ["/", {}, { error: expect.objectContaining({ code: "unknown_url" }) }],
      ["/openai/nothing", {}, { error: expect.objectContaining({ code: "404" }) }],
      [
        "/v1/nothing",
        { "anthropic-version": "2023-06-01" },
        { type: "error", error: expect.objectContaining({ type: "not_found_error" }), request_id: expect.any(String) },
      ],
      ["/controls", {}, { error: expect.objectContaining({ code: "unknown_url" }) }],
    ] as [string, Record<string, string>, unknown][])(
      "that is none (%s, %j) is not found, in the dialect of its client",
      async (path, headers, body) => {
        const response = await call("GET", path, headers);
        expect([response.status, await response.json()]).toEqual([404, body]);
        expect(response.headers.get("x-request-id")).toMatch(/\S/);
      },
    );

    test.each([
      ["GET", "/v1/chat/completions", "POST"],
      ["PUT", "/v1/messages", "POST"],
      ["POST", "/v1/models", "GET"],
      ["PATCH", "/v1/responses/resp_1", "DELETE, GET"],
      ["HEAD", "/v1/chat/completions", "POST"],
      ["HEAD", "/v1/models", "GET"],
      ["OPTIONS", "/v1/chat/completions", "POST"],
      ["OPTIONS", "/openai/v1/embeddings", "POST"],
    ])("called by a method that it does not take is told which it takes: %s %s", async (method, path, allow) => {
      const response = await call(method, path, { authorization: `Bearer ${context().tenant.key}` });
      expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
      const text = await response.text();
      if (method === "HEAD") expect(text).toBe("");
      else expect(JSON.parse(text)).toMatchObject({ error: { message: `This path does not take that method. Use ${allow}.` } });
    });
  });
}
