import { z } from "zod";
import { readBase64 } from "../base64.ts";
import { hashLength } from "./merkle.ts";

/** A hash as proofs write it: base64, in the one form that there is of it. */
export const hashText: z.ZodType<Uint8Array, string> = z
  .string()
  .transform((text) => readBase64(text))
  .refine((bytes): bytes is Uint8Array => bytes?.length === hashLength);

/** More siblings than any tree has levels. */
export const mostSiblings = 64;
