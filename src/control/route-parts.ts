import { z } from "@hono/zod-openapi";
import type { ProblemDocument } from "./problem.ts";

export { controlPath } from "./control-path.ts";

export const tenantParams: z.ZodObject<{ tenantId: z.ZodString }> = z.object({
  tenantId: z.string().openapi({ param: { name: "tenantId", in: "path" }, example: "acme" }),
});

export const keyParams: z.ZodObject<{ tenantId: z.ZodString; keyId: z.ZodString }> = z.object({
  tenantId: z.string().openapi({ param: { name: "tenantId", in: "path" }, example: "acme" }),
  keyId: z.string().openapi({ param: { name: "keyId", in: "path" }, example: "k3v9x0aa" }),
});

/** Weak tags are refused: a change may only be decided on exactly what was read. */
export const ifMatchHeader: z.ZodObject<{ "if-match": z.ZodOptional<z.ZodString> }> = z.object({
  "if-match": z
    .string()
    .regex(/^(\*|"[0-9]{1,15}")$/, 'Send the `ETag` of the answer that this change was decided on, such as `"7"`.')
    .optional()
    .openapi({ description: "Write only if the tenant is still at this revision; 412 otherwise." }),
});

const count = (most: number, usual: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^[0-9]{1,6}$/, `Write an integer from 1 to ${most}.`)
    .transform(Number)
    .refine((number) => number >= 1 && number <= most, `Write an integer from 1 to ${most}.`)
    .default(usual)
    .openapi({ type: "integer", minimum: 1, maximum: most, default: usual });

export const cursorQuery: z.ZodObject<{ cursor: z.ZodOptional<z.ZodString>; count: z.ZodType<number> }> = z.object({
  cursor: z.string().max(100).optional().openapi({ description: "`nextCursor` of the page before." }),
  count: count(500, 100),
});

export const countQuery: z.ZodObject<{ count: z.ZodType<number> }> = z.object({ count: count(1_000, 100) });

interface Shown<Schema> {
  description: string;
  content: { "application/json": { schema: Schema } };
}

export function shown<Schema extends z.ZodType>(schema: Schema, description: string): Shown<Schema> {
  return { description, content: { "application/json": { schema } } };
}

interface Body<Schema> {
  body: { required: true; content: { "application/json": { schema: Schema } } };
}

/** The body of a request: required, so that an empty one is told what is missing. */
export function bodyOf<Schema extends z.ZodType>(schema: Schema): Body<Schema> {
  return { body: { required: true, content: { "application/json": { schema } } } };
}

const problemSchema: z.ZodType<ProblemDocument> = z
  .object({
    type: z.string().openapi({ example: "urn:strait:problem:tenant-not-found" }),
    title: z.string(),
    status: z.literal([400, 401, 404, 405, 409, 412, 413, 415, 422, 500, 503]),
    detail: z.string(),
    problems: z
      .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), detail: z.string() }))
      .optional()
      .openapi({ description: "Each value that is wrong: a JSON pointer into the body, or the name of a parameter." }),
  })
  .openapi("Problem");

/** Every route answers its refusals alike. */
export const problemAnswers: {
  default: { description: string; content: { "application/problem+json": { schema: z.ZodType<ProblemDocument> } } };
} = { default: { description: "A refusal (RFC 9457)", content: { "application/problem+json": { schema: problemSchema } } } };
