import { describe, expect, it } from "vitest";
import { joinRuns, nothingDone, type RetentionCount, type RetentionFailure } from "../../src/retention/retention-run.ts";

function count(part: Partial<RetentionCount>): RetentionCount {
  const none = { deleted: 0, held: 0, oldestMs: undefined, newestMs: undefined };
  return { kind: "receipts", className: "five-years", beforeMs: 9, ...none, ...part };
}

describe("a run of retention", () => {
  it("adds up its parts, by kind and class", () => {
    const one = [count({ deleted: 2, oldestMs: 5, newestMs: 7 }), count({ kind: "audit", held: 1 })];
    const other = [count({ deleted: 1, held: 4, oldestMs: 3, newestMs: 3 }), count({ className: "ten-years", deleted: 1 })];
    expect(joinRuns({ counts: one, failures: [] }, { counts: other, failures: [] }).counts).toEqual([
      count({ deleted: 3, held: 4, oldestMs: 3, newestMs: 7 }),
      count({ kind: "audit", held: 1 }),
      count({ className: "ten-years", deleted: 1 }),
    ]);
  });

  it("keeps no more than some hundred failures, and of each kind one", () => {
    const failure = (index: number, kind: RetentionFailure["kind"]): RetentionFailure => ({
      kind,
      tenantId: `t${index}`,
      error: "away",
    });
    let run = nothingDone;
    for (let index = 0; index < 1_000; index += 1)
      run = joinRuns(run, { counts: [], failures: [failure(index, index < 900 ? "receipts" : "refusals")] });
    expect(run.failures).toHaveLength(101);
    expect(run.failures.at(-1)).toEqual(failure(900, "refusals"));
  });
});
