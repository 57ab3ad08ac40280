import { TooManyGroups, type JournalReader, type UsageDimension } from "./journal-reader.ts";
import { mostUsageGroups, type Parsed, type UsageAsked } from "./usage-period.ts";
import { addSums, noUsage, type UsageRow, type UsageSums } from "./usage-sums.ts";

/** Sums as both APIs show them. */
export interface UsageSumsDocument {
  requests: number;
  refused: number;
  unsettled: number;
  inputTokens: number;
  cachedInputTokens: number;
  cacheWriteTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  /** For each count, the requests that do not know it and add nothing to it. */
  unknown: {
    inputTokens: number;
    cachedInputTokens: number;
    cacheWriteTokens: number;
    outputTokens: number;
    reasoningTokens: number;
  };
  chargedTokens: number;
  costMicroUsd: number;
}

/** `null`: the region of requests that reached none. Only what was asked for is there. */
export type UsageGroupDocument = { [Dimension in UsageDimension]?: string | null | undefined };

export interface UsageDocument {
  /** RFC 3339; `to` is no longer part of the period. */
  from: string;
  to: string;
  timeZone: string;
  by: UsageDimension[];
  usage: (UsageGroupDocument & UsageSumsDocument)[];
  total: UsageSumsDocument;
}

/** Answers what was asked, of one tenant or of all. */
export async function usageDocument(
  reader: JournalReader,
  tenantId: string | undefined,
  asked: UsageAsked,
): Promise<Parsed<UsageDocument>> {
  try {
    const rows = await reader.usage({ ...asked, tenantId, most: mostUsageGroups });
    return { ok: true, value: documentOf(rows, asked) };
  } catch (error) {
    if (!(error instanceof TooManyGroups)) throw error;
    const expected = `fewer of them, or ask for a shorter period: this makes more than ${error.most} groups`;
    return { ok: false, problems: [{ parameter: "by", expected }] };
  }
}

function documentOf(rows: readonly UsageRow[], { fromMs, toMs, timeZone, by }: UsageAsked): UsageDocument {
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    timeZone,
    by: [...by],
    usage: inOrder(rows, by).map(({ group, sums }) => ({ ...groupDocument(group, by), ...sumsDocument(sums) })),
    total: sumsDocument(rows.map(({ sums }) => sums).reduce(addSums, noUsage)),
  };
}

function inOrder(rows: readonly UsageRow[], by: readonly UsageDimension[]): UsageRow[] {
  return [...rows].sort((left, right) => {
    for (const dimension of by) {
      const [one, other] = [left.group[dimension] ?? "", right.group[dimension] ?? ""];
      if (one !== other) return one < other ? -1 : 1;
    }
    return 0;
  });
}

function groupDocument(group: UsageRow["group"], by: readonly UsageDimension[]): UsageGroupDocument {
  return Object.fromEntries(by.map((dimension) => [dimension, group[dimension] ?? null]));
}

function sumsDocument({
  requests,
  refused,
  unsettled,
  tokens,
  unknown,
  chargedTokens,
  costMicroUsd,
}: UsageSums): UsageSumsDocument {
  return { requests, refused, unsettled, ...tokens, unknown: { ...unknown }, chargedTokens, costMicroUsd };
}
