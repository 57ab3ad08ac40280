import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { PlaceMismatches } from "../place-alarm.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";

export interface PlaceMismatchDocument {
  deployment: string;
  answers: number;
  connections: number;
  /** RFC 3339. */
  lastAt: string;
  last: string;
}

const mismatch: z.ZodType<PlaceMismatchDocument> = z
  .object({
    deployment: z.string(),
    answers: z.int().openapi({ description: "Answers from elsewhere than declared; they were withheld." }),
    connections: z.int().openapi({ description: "Connections refused for where they led; nothing was sent over them." }),
    lastAt: z.iso.datetime(),
    last: z.string(),
  })
  .openapi("PlaceMismatches");

const list = createRoute({
  method: "get",
  path: `${controlPath}/place-mismatches`,
  tags: ["Places"],
  summary: "Count what contradicted where it is declared to run, by deployment",
  description:
    "Since the process (in workerd: the isolate) that answers this began. What was put out of use for it stands in the revocations, by `gateway`.",
  responses: {
    200: shown(z.object({ placeMismatches: z.array(mismatch) }).openapi("PlaceMismatchList"), "By deployment, latest first"),
    ...problemAnswers,
  },
});

export function addPlaceMismatchRoutes(app: OpenAPIHono, mismatches: () => readonly PlaceMismatches[]): void {
  app.openapi(list, (context) =>
    context.json(
      {
        placeMismatches: mismatches().map(({ lastAtMs, ...counts }) => ({ ...counts, lastAt: new Date(lastAtMs).toISOString() })),
      },
      200,
    ),
  );
}
