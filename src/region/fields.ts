import { TomlDate } from "smol-toml";
import { z } from "zod";
import { assignedCountries } from "./assigned-countries.ts";
import { countryPattern } from "./country.ts";

/** What the files of `regions/` have in common. */

export const name: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,79}$/, "expected lower-case letters, digits, `.`, `_` and `-`");

export const text: z.ZodString = z.string().regex(/\S/, "expected some text");

export const country: z.ZodString = z
  .string()
  .regex(countryPattern, "expected a country as two capital letters (ISO 3166-1), such as SG")
  .refine((code) => !countryPattern.test(code) || assignedCountries.has(code), "not an assigned country code of ISO 3166-1");

export const groupPrefix = "group:";
export const listPrefix = "list:";

/** A country, or the name of a group of the policy. */
export const countryOrGroup: z.ZodString = z
  .string()
  .regex(
    /^([A-Z]{2}|group:[A-Za-z0-9][A-Za-z0-9._-]*)$/,
    "expected a country such as SG, or a group of the policy such as group:CN",
  )
  .refine((entry) => !countryPattern.test(entry) || assignedCountries.has(entry), "not an assigned country code of ISO 3166-1");

export const countryList: z.ZodArray<z.ZodString> = z.array(countryOrGroup);

/** As a rule takes it: also the name of a list of countries that somebody else publishes. */
export const ruleCountries: z.ZodArray<z.ZodString> = z
  .array(
    z
      .string()
      .regex(
        /^([A-Z]{2}|(group|list):[A-Za-z0-9][A-Za-z0-9._-]*)$/,
        "expected a country such as SG, a group such as group:CN or a list such as list:NAME",
      )
      .refine(
        (entry) => !countryPattern.test(entry) || assignedCountries.has(entry),
        "not an assigned country code of ISO 3166-1",
      ),
  )
  .min(1);

/** An instant with its offset: a local time would begin at another moment on every replica. */
export const instant: z.ZodDate = z
  .date({ error: "expected a date and time, such as 2026-09-01T00:00:00Z" })
  .refine(
    (date) => date instanceof TomlDate && date.isDateTime() && !date.isLocal(),
    "write the date with its time and offset, such as 2026-09-01T00:00:00Z",
  );

export const positive: z.ZodInt = z.int().min(1);

export const natural: z.ZodInt = z.int().min(0);

/** What a loose reading gives of a value: whatever field is not well-formed is missing. */
export type Loose<Value> = { readonly [Key in keyof Value]?: Value[Key] | undefined };

/**
 * Reads each field by itself and leaves out what is not well-formed, unknown keys too. The files are checked against
 * one another by this reading, so that one bad field does not hide what else is wrong: people mend all of it in one go.
 */
export function loosely<Value>(shape: Readonly<Record<keyof Value & string, z.ZodType>>): z.ZodType<Loose<Value>> {
  const fields = Object.entries<z.ZodType>(shape).map(([key, field]) => [key, field.optional().catch(undefined)] as const);
  return z.object(Object.fromEntries(fields)) as unknown as z.ZodType<Loose<Value>>;
}

/** For a list in a loose reading: keeps its other elements where one is not well-formed. */
export const looseList: z.ZodType<string[]> = z.array(z.string().catch(""));
