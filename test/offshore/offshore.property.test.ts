/**
 * The product's promise over random worlds, all of it together: rules of every kind, lists, dates, exemptions and what
 * lessens; a policy that takes over at its instant; tenants of whom not everything is known; upstreams that fail, redirect,
 * spill over and answer from elsewhere; orders that come before a request and in its midst. Each request goes through the
 * real exchange, and is held against an evaluator that was written from the documentation.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { DrawnRun } from "./drawn-run.ts";
import { steps } from "./drawn-steps.ts";
import { worlds } from "./drawn-world.ts";

/** What must be met, over all runs, at least so often: a world in which everything is refused, or nothing ever fails, would show nothing. */
const toBeMet: Readonly<Record<string, number>> = {
  attempts: 300,
  retries: 100,
  "attempts that go on": 1,
  "attempts at a lesser model": 10,
  "attempts without log probabilities": 1,
  "attempts whatever a fact is": 100,
  answered: 150,
  "answers from within: spills": 5,
  "answers from within: routes": 5,
  "answers from elsewhere: spills": 20,
  "answers from elsewhere: routes": 10,
  "answers from elsewhere: says_elsewhere": 10,
  "replayed: receipt same": 200,
  "replayed: refusal same": 500,
  "replayed: refusal where it is kept": 5,
};

it("no attempt and no answer leaves the permit, what is unknown never allows, and every record is decided the same again", async () => {
  const met = new Map<string, number>();
  const count = (what: string): void => void met.set(what, (met.get(what) ?? 0) + 1);
  await fc.assert(
    fc.asyncProperty(worlds, steps, async (drawn, all) => {
      const run = new DrawnRun(drawn, count);
      for (const step of all) await run.step(step);
      run.expectReplayed();
    }),
    { numRuns: 1_000, endOnFailure: false },
  );
  for (const [what, least] of Object.entries(toBeMet))
    expect({ what, isMet: (met.get(what) ?? 0) >= least }).toEqual({ what, isMet: true });
}, 120_000);
