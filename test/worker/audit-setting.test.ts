import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/runtime/worker/config.ts";

describe("STRAIT_AUDIT in a Worker", () => {
  it("may be block, and is refused as buffer, which is not there", () => {
    expect(readConfig({ STRAIT_AUDIT: "block" }).ok).toBe(true);
    expect(readConfig({ STRAIT_AUDIT: "buffer" })).toMatchObject({
      ok: false,
      problems: [expect.stringContaining("STRAIT_AUDIT")],
    });
  });
});
