import { z } from "zod";
import { country, countryList, looseList, loosely, text, type Loose } from "./fields.ts";
import { invariantEntry, type InvariantEntry } from "./invariant-entry.ts";
import { policyListEntry, type PolicyListEntry } from "./policy-list-entry.ts";
import { retentionEntry, type RetentionEntry } from "./retention-entry.ts";
import { ruleEntry, type RuleEntry } from "./rule-entry.ts";

export interface GroupEntry {
  readonly countries: readonly string[];
  readonly jurisdiction?: boolean | undefined;
}

const tableName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, `.`, `_` and `-`");

const head = {
  version: text.describe("Stands in every receipt: change it with every change of a rule."),
  home: countryList.optional().describe("The countries whose companies are served from offshore."),
  groups: z
    .record(
      tableName,
      z.strictObject({
        countries: z.array(country).min(1),
        jurisdiction: z.boolean().optional().describe("Its countries count as one jurisdiction."),
      }),
    )
    .optional()
    .describe("Countries under one name, written `group:NAME` in lists."),
  lists: z.record(tableName, policyListEntry).optional().describe("Snapshots of lists that others publish."),
  retention: z.record(tableName, retentionEntry).optional().describe("How long records of a class are kept."),
};

export interface PolicyEntry {
  readonly version: string;
  readonly home?: readonly string[] | undefined;
  readonly groups?: Readonly<Record<string, GroupEntry>> | undefined;
  readonly lists?: Readonly<Record<string, PolicyListEntry>> | undefined;
  readonly retention?: Readonly<Record<string, RetentionEntry>> | undefined;
  readonly rules: readonly RuleEntry[];
  readonly invariants?: readonly InvariantEntry[] | undefined;
}

export const policyFile: z.ZodType<PolicyEntry> = z
  .strictObject({
    ...head,
    rules: z.array(ruleEntry).min(1),
    invariants: z.array(invariantEntry).optional().describe("What `strait policy check` tries to break."),
  })
  .meta({ title: "The policy of Strait" });

type LooseHead = Pick<PolicyEntry, "version" | "home" | "groups"> & {
  readonly lists?: Readonly<Record<string, Loose<{ readonly kind: string; readonly countries: readonly string[] }>>> | undefined;
};

export const loosePolicy: z.ZodType<Loose<LooseHead>> = loosely<LooseHead>({
  version: head.version,
  home: looseList,
  groups: z.record(z.string(), z.object({ countries: looseList.catch([]), jurisdiction: z.boolean().optional().catch(false) })),
  lists: z.record(
    z.string(),
    loosely<{ kind: string; countries: readonly string[] }>({ kind: z.string(), countries: looseList }),
  ),
});
