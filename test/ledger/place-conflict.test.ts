import { describe, expect, it } from "vitest";
import { placeConflict } from "../../src/ledger/place-conflict.ts";
import { deployment, region } from "../support/catalogue.ts";

const japan = deployment("one", { region: { ...region("japaneast", "JP"), displayName: "Japan East" } });
const pinned = deployment("two", { region: region("claude-us", "US", "anthropic"), inferenceGeo: "us" });

describe("what an upstream says of its place", () => {
  it("agrees where it names the declared region, however it is written", () => {
    expect(placeConflict(japan, ["x-ms-region", "Japan East"], undefined)).toBeUndefined();
    expect(placeConflict(japan, ["x-ms-region", "japaneast"], undefined)).toBeUndefined();
  });

  it("agrees where it says nothing", () => {
    expect(placeConflict(japan, [], undefined)).toBeUndefined();
    expect(placeConflict(pinned, [], undefined)).toBeUndefined();
  });

  it("contradicts by another region, by a spillover, or by another geography", () => {
    expect(placeConflict(japan, ["x-ms-region", "East Asia"], undefined)).toMatch(/East Asia.*Japan East/);
    expect(placeConflict(japan, ["x-ms-region", "Japan East", "x-ms-spillover-from-deployment", "gpt"], undefined)).toMatch(
      /spilled over/,
    );
    expect(placeConflict(pinned, [], "global")).toMatch(/global.*us/);
    expect(placeConflict(pinned, [], "us")).toBeUndefined();
  });
});
