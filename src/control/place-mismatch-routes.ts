import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { PlaceAlarm } from "../place-alarm.ts";
import type { DeploymentMismatches } from "../place-mismatches.ts";
import { isInForce, isQuarantine } from "../revocation/order.ts";
import { revocationStateDocument, revocationStateSchema, rfc3339, type RevocationStateDocument } from "./revocation-documents.ts";
import { revocationState, type RevocationPorts } from "./revocations.ts";
import { controlPath, problemAnswers, shown } from "./route-parts.ts";

export interface PlaceMismatchDocument {
  deployment: string;
  answers: number;
  connections: number;
  /** RFC 3339. */
  firstAt: string;
  lastAt: string;
  last: string;
  lastRequest: string;
}

export interface PlaceMismatchListDocument {
  placeMismatches: PlaceMismatchDocument[];
  quarantined: RevocationStateDocument[];
}

export interface PlaceMismatchPorts extends Pick<RevocationPorts, "orders"> {
  readonly placeAlarm: Pick<PlaceAlarm, "list">;
}

const mismatch: z.ZodType<PlaceMismatchDocument> = z
  .object({
    deployment: z.string(),
    answers: z.int().openapi({ description: "Answers from elsewhere than declared; they were withheld." }),
    connections: z.int().openapi({ description: "Connections refused for where they led; nothing was sent over them." }),
    firstAt: z.iso.datetime(),
    lastAt: z.iso.datetime(),
    last: z.string(),
    lastRequest: z.string().openapi({ description: "The request whose receipt shows the last one." }),
  })
  .openapi("PlaceMismatches");

const list = createRoute({
  method: "get",
  path: `${controlPath}/place-mismatches`,
  tags: ["Places"],
  summary: "Show what contradicted where it is declared to run, and what is out of use for it",
  description: "Counted over all replicas, those that run no more included.",
  responses: {
    200: shown(
      z
        .object({
          placeMismatches: z.array(mismatch).openapi({ description: "By deployment, latest first." }),
          quarantined: z.array(revocationStateSchema).openapi({
            description:
              "The orders, newest first: `issuedAt` since when, `reason` by which mismatch, `acknowledgements` and `missing` on which replicas.",
          }),
        })
        .openapi("PlaceMismatchList"),
      "Counts and quarantines",
    ),
    ...problemAnswers,
  },
});

export function addPlaceMismatchRoutes(app: OpenAPIHono, ports: PlaceMismatchPorts): void {
  app.openapi(list, async (context) => {
    const [found, quarantined] = await Promise.all([ports.placeAlarm.list(), quarantines(ports)]);
    return context.json({ placeMismatches: found.map(mismatchDocument), quarantined }, 200);
  });
}

async function quarantines({ orders }: PlaceMismatchPorts): Promise<RevocationStateDocument[]> {
  await orders.refresh();
  const nowMs = orders.nowMs();
  const standing = orders.list().filter((order) => isQuarantine(order) && isInForce(order, nowMs));
  const states = await Promise.all(standing.map(({ id }) => revocationState({ orders }, id)));
  return states.flatMap((state) => (state.ok ? [revocationStateDocument(state.value, nowMs)] : []));
}

function mismatchDocument({ firstAtMs, lastAtMs, ...found }: DeploymentMismatches): PlaceMismatchDocument {
  return { ...found, firstAt: rfc3339(firstAtMs), lastAt: rfc3339(lastAtMs) };
}
