import { z } from "@hono/zod-openapi";

/** Fields that many documents of the API have, so that each is bounded, described and refused alike. */

/** `missing`: what to write, for whoever left it out or empty. */
export function text(most: number, missing?: string): z.ZodString {
  const string =
    missing === undefined ? z.string() : z.string({ error: ({ input }) => (input === undefined ? missing : undefined) });
  return string.trim().min(1, missing).max(most);
}

export const time: z.ZodISODateTime = z.iso.datetime({
  offset: true,
  error: "Write a time with its offset (RFC 3339), such as 2026-12-01T00:00:00Z.",
});

export const country: z.ZodString = z.string().max(60).openapi({ description: "ISO 3166-1 alpha-2, upper case.", example: "SG" });

/** For the audit: who decided a change, and why. */
export const who: z.ZodOptional<z.ZodString> = text(200)
  .optional()
  .openapi({ description: "Who decided it; the audit names it beside the operator." });
export const why: z.ZodOptional<z.ZodString> = text(1_000).optional().openapi({ description: "Why; it stands in the audit." });
