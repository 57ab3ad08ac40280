import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { JournalWriters, KnownWriter } from "../ledger/journal-writers.ts";
import { answerProblem } from "./answer.ts";
import { auditEntry, nowRfc3339, type ChangePorts } from "./change.ts";
import { done, no, type Outcome } from "./outcome.ts";
import { bodyOf, controlPath, problemAnswers, shown } from "./route-parts.ts";

const tags = ["Journal"];
const path = `${controlPath}/writers` as const;

export interface WriterDocument {
  id: string;
  /** RFC 3339. */
  seenAt: string;
  /** RFC 3339; `null` where it never said. */
  completeUntil: string | null;
}

export interface WriterListDocument {
  writers: WriterDocument[];
}

export interface WriterPorts extends ChangePorts {
  readonly writers: JournalWriters;
}

const writer: z.ZodType<WriterDocument> = z
  .object({
    id: z.string().openapi({
      description: "The machine's name and a number of its data directory; it stands there in `receipts/writer-id`.",
    }),
    seenAt: z.iso.datetime().openapi({ description: "When it was last heard of; one that lives is every few seconds." }),
    completeUntil: z.iso.datetime().nullable().openapi({ description: "Up to when all of its receipts are in the journal." }),
  })
  .openapi("Writer");

const list = createRoute({
  method: "get",
  path,
  tags,
  summary: "List the gateways that write to the journal",
  description:
    "Those that live, and those that died with something left to write. After Valkey lost its data nothing is admitted until each has delivered its receipts and put back what it has open.",
  responses: {
    200: shown(z.object({ writers: z.array(writer) }).openapi("WriterList"), "The writers, by id"),
    ...problemAnswers,
  },
});

const dismiss = createRoute({
  method: "post",
  path: `${path}/{writerId}/dismiss`,
  tags,
  summary: "Wait no more for a gateway that never comes back",
  description:
    "What it admitted and did not record is then missing in what limits are summed from, so that they may be passed by as much. One that does come back is on the list again.",
  request: {
    params: z.object({
      writerId: z
        .string()
        .max(300)
        .openapi({ param: { name: "writerId", in: "path" } }),
    }),
    ...bodyOf(z.strictObject({ reason: z.string().trim().min(1).max(500) }).openapi("WriterDismissal")),
  },
  responses: { 200: shown(writer, "As it was last heard of"), ...problemAnswers },
});

/** @throws {StoreUnavailable} where the journal's store is away; nobody can be dismissed then. */
async function dismissWriter(ports: WriterPorts, id: string, reason: string): Promise<Outcome<KnownWriter>> {
  const known = (await ports.writers.list()).find((one) => one.id === id);
  if (known === undefined) return no({ kind: "writer_not_found", id });
  // On record first: what limits were summed without must be explained even where this process dies in between.
  const detail = { writer: id, seenAt: rfc3339(known.seenAtMs), reason };
  await ports.directory.note(auditEntry(ports, nowRfc3339(ports.clock), "operator", "writer.dismiss", "*", detail));
  await ports.writers.dismiss(id);
  return done(known);
}

export function addWriterRoutes(app: OpenAPIHono, ports: WriterPorts): void {
  app.openapi(list, async (context) => context.json({ writers: (await ports.writers.list()).map(writerDocument) }, 200));

  app.openapi(dismiss, async (context) => {
    const outcome = await dismissWriter(ports, context.req.valid("param").writerId, context.req.valid("json").reason);
    return outcome.ok ? context.json(writerDocument(outcome.value), 200) : answerProblem(context, outcome.refusal);
  });
}

function writerDocument({ id, seenAtMs, completeUntilMs }: KnownWriter): WriterDocument {
  return { id, seenAt: rfc3339(seenAtMs), completeUntil: completeUntilMs === 0 ? null : rfc3339(completeUntilMs) };
}

function rfc3339(atMs: number): string {
  return new Date(atMs).toISOString();
}
