import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KnownWriter } from "../../src/ledger/journal-writers.ts";
import { served, type Served } from "./cli-fixture.ts";

describe("strait writer", () => {
  let known: KnownWriter[] = [{ id: "edge-2-c9.1", seenAtMs: 1_000, completeUntilMs: 0 }];
  let gateway: Served;
  beforeAll(async () => {
    gateway = await served({
      writers: {
        list: async () => known,
        async dismiss(id) {
          const before = known.length;
          known = known.filter((one) => one.id !== id);
          return known.length < before;
        },
      },
    });
  });
  afterAll(() => gateway.stop());

  it("lists the gateways that write to the journal, and dismisses one with a reason", async () => {
    expect((await gateway.run(["writer", "list"])).stdout).toMatch(/edge-2-c9\.1 +1970-01-01T00:00:01\.000Z +never said/);
    expect(await gateway.run(["writer", "dismiss", "edge-2-c9.1"])).toMatchObject({ code: 2 });
    expect(await gateway.run(["writer", "dismiss", "edge 3", "--reason", "gone"])).toMatchObject({ code: 1 });
    const dismissed = await gateway.run(["writer", "dismiss", "edge-2-c9.1", "--reason", "the disk is broken"]);
    expect(dismissed).toMatchObject({ code: 0, stdout: expect.stringContaining("waited for no more") });
    expect(known).toEqual([]);
  });
});
