import { expect, test } from "vitest";
import { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import { nothingDone } from "../../src/retention/retention-run.ts";
import type { RetentionTerms } from "../../src/retention/retention-terms.ts";
import { Revocations } from "../../src/revocation/revocations.ts";
import { MemoryPath } from "../revocation/memory-path.ts";
import { openPolicy } from "../support/permits.ts";
import { catalogue, control, testClock } from "./control-fixture.ts";

const sixMonths = { months: 6, records: new Set(["receipts"] as const), tiers: undefined, makers: undefined };
const world = { catalogue, policy: { ...openPolicy, retention: new Map([["six-months", sixMonths]]) } };
const shelf = new PolicyShelf({ file: "policy.toml", world, signed: undefined, keyId: undefined }, [], []);

test("records are as old as the stores' clocks say, on a machine whose own is a year ahead", async () => {
  const clock = testClock();
  const path = new MemoryPath("postgres");
  path.nowMs = () => Date.parse("2025-11-23T12:00:00Z");
  const orders = new Revocations({
    paths: [path],
    replica: { id: "ahead", name: "ahead", startedAtMs: 0 },
    clock,
    elapsed: clock,
    stalenessMs: 10_000,
  });
  await orders.attend(path);
  const applied: RetentionTerms[] = [];
  const { call } = control({
    orders,
    policies: () => shelf,
    applyRetention: async ({ terms }) => {
      applied.push(terms);
      return nothingDone;
    },
  });
  const before = "2025-05-23T12:00:00.000Z";
  expect((await call("GET", "/retention")).json).toMatchObject({ terms: [{ records: "receipts", before }] });
  expect((await call("POST", "/retention", {})).status).toBe(200);
  expect(applied).toMatchObject([{ terms: [{ beforeMs: Date.parse(before) }] }]);
});
